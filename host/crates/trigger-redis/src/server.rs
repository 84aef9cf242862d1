//! Which server, by its url.

use std::fmt;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, IntoConnectionInfo, Pipeline, RedisFuture,
    RedisResult, Value,
};
use thiserror::Error;

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A url that names no server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "not the url of a Redis server: {reason}; expected redis://, rediss:// or redis+cluster://"
)]
pub struct ServerError {
    /// Why; it never holds the url, which may have a password.
    reason: String,
}

/// A server, or a cluster of them: `redis://HOST:PORT`, `rediss://` over TLS,
/// `redis+cluster://HOST:PORT,HOST:PORT` for a cluster by some of its nodes.
#[derive(Clone)]
pub struct Server {
    url: String,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Single(Box<ConnectionInfo>),
    Cluster(Vec<ConnectionInfo>),
}

impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

/// A url may have a password.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Single(info) => write!(f, "{}", info.addr()),
            Kind::Cluster(nodes) => write!(f, "a cluster by {} nodes", nodes.len()),
        }
    }
}

impl Server {
    /// Reads a url. No server is asked.
    ///
    /// # Errors
    /// It is none.
    pub fn new(url: &str) -> Result<Self, ServerError> {
        let cluster = [("redis+cluster://", "redis://"), ("rediss+cluster://", "rediss://")];
        let found = cluster
            .iter()
            .find_map(|(prefix, scheme)| url.strip_prefix(prefix).map(|rest| (rest, *scheme)));
        let kind = match found {
            Some((nodes, scheme)) => {
                let nodes = nodes.split(',').map(|node| parsed(&format!("{scheme}{node}")));
                Kind::Cluster(nodes.collect::<Result<_, _>>()?)
            }
            None => Kind::Single(Box::new(parsed(url)?)),
        };
        Ok(Self { url: url.to_owned(), kind })
    }

    /// Connects; an answer may take `answer_max`.
    pub(crate) async fn connect(&self, answer_max: Duration) -> RedisResult<Connection> {
        match &self.kind {
            Kind::Single(info) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_TIMEOUT))
                    .set_response_timeout(Some(answer_max));
                let client = Client::open(ConnectionInfo::clone(info))?;
                let connection = client.get_multiplexed_async_connection_with_config(&config);
                Ok(Connection::Single(connection.await?))
            }
            Kind::Cluster(nodes) => {
                let client = ClusterClient::builder(nodes.clone())
                    .connection_timeout(CONNECT_TIMEOUT)
                    .response_timeout(answer_max)
                    .build()?;
                Ok(Connection::Cluster(client.get_async_connection().await?))
            }
        }
    }
}

fn parsed(url: &str) -> Result<ConnectionInfo, ServerError> {
    // Only the kind: the detail may repeat the url.
    url.into_connection_info().map_err(|error| ServerError { reason: error.category().to_owned() })
}

/// A connection to either.
#[derive(Clone)]
pub(crate) enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_servers_and_passwords_are_never_told() {
        for url in [
            "redis://localhost:6379",
            "rediss://user:hunter2@example.org:6380/0?protocol=resp3",
            "redis+cluster://:hunter2@a:1,:hunter2@b:2",
        ] {
            let server = Server::new(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert!(!format!("{server:?}").contains("hunter2"), "{server:?}");
        }
        for url in ["localhost", "http://hunter2@x/", "redis+cluster://hunter2:x:y"] {
            let error = Server::new(url).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
