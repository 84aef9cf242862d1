//! Redis servers, and the client of a test.

use redis::{FromRedisValue, Value};

use super::services::Services;

/// A server that flushes each write.
pub(crate) struct Redis(Services);

impl Redis {
    /// A server of the test's own.
    pub(crate) fn start() -> Self {
        Self(Services::up("redis", 1))
    }

    /// A cluster of three masters with a replica each.
    pub(crate) fn cluster() -> Self {
        Self(Services::up("redis-cluster", 6))
    }

    /// The server, or the nodes of the cluster with commas between.
    pub(crate) fn url(&self) -> &str {
        self.0.said("redis")
    }

    /// Kills, starts, pauses or resumes a node.
    pub(crate) fn node(&self, verb: &str, node: usize) {
        self.0.node(verb, node);
    }

    /// The part of a manifest that keeps the store there.
    pub(crate) fn store(&self) -> String {
        format!("[store]\nkind = \"redis\"\nurl = \"{}\"", self.url())
    }

    /// Asks the server.
    pub(crate) fn ask(&self, command: &[&str]) -> Value {
        let client = redis::Client::open(self.url()).unwrap();
        let mut asked = redis::cmd(command[0]);
        asked.arg(&command[1..]);
        asked.query(&mut client.get_connection().unwrap()).unwrap()
    }

    /// Adds an entry to a stream; gives the id of its event.
    pub(crate) fn add(&self, stream: &str, fields: &[(&str, &str)]) -> String {
        let mut command = vec!["XADD", stream, "*"];
        command.extend(fields.iter().flat_map(|(name, value)| [*name, *value]));
        format!("redis://{stream}/{}", String::from_redis_value(self.ask(&command)).unwrap())
    }

    /// Sends work, for the guests that do what their data says.
    pub(crate) fn work(&self, stream: &str, work: &serde_json::Value) -> String {
        let data = work.to_string();
        self.add(stream, &[("ce-type", "work"), ("data", &data)])
    }

    /// Entries of a group that are read and not acknowledged, and those that are not read.
    pub(crate) fn unsettled(&self, stream: &str, group: &str) -> u64 {
        let groups = Vec::<std::collections::HashMap<String, Value>>::from_redis_value(
            self.ask(&["XINFO", "GROUPS", stream]),
        );
        let groups = groups.unwrap();
        let named = |about: &&std::collections::HashMap<String, Value>| {
            String::from_redis_value(about["name"].clone()).unwrap() == group
        };
        // A group that is not made yet has settled nothing.
        let Some(about) = groups.iter().find(named) else { return u64::MAX };
        let pending = u64::from_redis_value(about["pending"].clone()).unwrap();
        let last = String::from_redis_value(about["last-delivered-id"].clone()).unwrap();
        // Its `lag` is unknown after a restart.
        let unread = self.ask(&["XRANGE", stream, &format!("({last}"), "+"]);
        pending + Vec::<Value>::from_redis_value(unread).unwrap().len() as u64
    }
}
