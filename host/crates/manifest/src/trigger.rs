//! `[[trigger.KIND]]`: what calls functions.

mod filter;
mod http;
mod kafka;
mod queue;
mod redis;
mod schedule;

use std::time::Duration;

use bytesize::ByteSize;
use serde_json::Value as Json;
use wfh_event::TriggerName;

use crate::Route;
use crate::read::{Declared, Node, Reader, Value, kibibytes, mebibytes, millis, minutes, table};

pub use filter::Filter;
pub use http::{HttpTrigger, Mode};
pub use kafka::{KafkaOrder, KafkaStart, KafkaTrigger};
pub use queue::QueueTrigger;
pub use redis::{RedisOrder, RedisSource, RedisStart, RedisTrigger};
pub use schedule::{Missed, Schedule, ScheduleTrigger};

table! {
    /// What calls functions.
    pub struct Triggers: Default {
        /// HTTP requests.
        http: Vec<Trigger<HttpTrigger>>,
        /// Records of Kafka topics.
        kafka: Vec<Trigger<KafkaTrigger>>,
        /// Entries of Redis streams and lists.
        redis: Vec<Trigger<RedisTrigger>>,
        /// Entries of the host's own queues.
        queue: Vec<Trigger<QueueTrigger>>,
        /// Points in time.
        schedule: Vec<Trigger<ScheduleTrigger>>,
    }
}

impl Triggers {
    /// How many there are, of all kinds.
    #[must_use]
    pub fn count(&self) -> usize {
        self.http.len()
            + self.kafka.len()
            + self.redis.len()
            + self.queue.len()
            + self.schedule.len()
    }
}

/// A trigger and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger<K> {
    /// The name, given or derived; no two triggers of a manifest share one.
    pub name: TriggerName,
    /// The path of its table, such as `trigger.http[0]`.
    pub key: String,
    /// What it does.
    pub config: K,
}

/// A kind of trigger.
pub(crate) trait TriggerKind: Value {
    /// The name in the manifest.
    fn given_name(&self) -> Option<&TriggerName>;
    /// The name of one that has none.
    fn derived_name(&self) -> String;
    /// The route of one that has one.
    fn route(&self) -> Option<Route> {
        None
    }
}

impl<K: TriggerKind> Value for Trigger<K> {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let config = K::read(node, reader)?;
        let name = match config.given_name() {
            Some(name) => name.clone(),
            None => match config.derived_name().parse() {
                Ok(name) => name,
                Err(error) => {
                    let message = format!("it has no name and none can be derived: {error}");
                    return reader.report(node.problem(message).expected("a `name`"));
                }
            },
        };
        reader.triggers.push(Declared {
            name: name.clone(),
            key: node.key.clone(),
            span: node.span.clone(),
            route: config.route(),
        });
        Some(Self { name, key: node.key.clone(), config })
    }

    fn schema() -> Json {
        K::schema()
    }
}

table! {
    /// How many events one call gets.
    pub struct Batch: Default {
        /// Events at most.
        size: u32 [1..=10_000] = 1,
        /// How long to wait for that many.
        window: Duration [millis(0)..=minutes(5)] = millis(0),
        /// Bytes of their data at most; a larger event comes alone.
        bytes_max: ByteSize [kibibytes(1)..=mebibytes(64)] = mebibytes(8),
        /// Whether a batch whose call broke off is repeated in halves, to find the event that it
        /// breaks off for.
        bisect: bool = false,
    }
}
