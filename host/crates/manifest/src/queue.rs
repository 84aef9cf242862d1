//! `[queue.NAME]`, `[topic.NAME]` and `[stream.NAME]`: where events wait and go.

use std::time::Duration;

use serde_json::Value as Json;
use wfh_event::{JsonPath, Target};

use crate::read::{Misfit, Node, Reader, Text, Value, days, hours, seconds, table, words};

table! {
    /// A durable queue of the host; it needs no server on the embedded store.
    pub struct Queue: Default {
        /// `none`, or `json:$.path`: first in first out inside a group, groups in parallel.
        order: QueueOrder = QueueOrder::None,
        /// How long a claimed entry is hidden from others.
        visibility: Duration [seconds(1)..=hours(12)] = seconds(30),
        /// Leases that may run out before an entry is dead-lettered; a guard against crash loops.
        receives_max: u32 [1..=10_000] = 10,
        /// Entries at which accepts and sends are refused; results of calls are always taken.
        depth_max: u64 [1..=1_000_000_000] = 1_000_000,
        /// The age at which an entry is dead-lettered.
        retention: Duration [seconds(1)..=days(365)] = days(4),
        /// The time within which an event with an equal source and id is not taken again; without
        /// it, every event is taken.
        dedup_window: Option<Duration> [seconds(1)..=days(7)],
    }
}

/// In which order a queue hands out its entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum QueueOrder {
    /// `none`: in any.
    #[default]
    None,
    /// `json:$.path`: first in first out among entries with an equal value there.
    Json(JsonPath),
}

impl Text for QueueOrder {
    const WHAT: &'static str = "an order";
    const EXPECTED: &'static str = "\"none\" or \"json:$.path\"";

    fn parse(text: &str) -> Result<Self, Misfit> {
        match (text, text.strip_prefix("json:")) {
            ("none", _) => Ok(Self::None),
            (_, Some(path)) => path.parse().map(Self::Json).map_err(Misfit::because),
            _ => Err(Misfit::default()),
        }
    }

    fn print(&self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Json(path) => format!("json:{path}"),
        }
    }
}

table! {
    /// A topic: what is sent to it goes to each subscriber.
    #[check(no_topics)]
    pub struct Topic {
        /// The targets that get what is sent to the topic.
        subscribers: Vec<Target>,
    }
}

fn no_topics(topic: &Topic, node: &Node<'_>, reader: &mut Reader<'_>) {
    if topic.subscribers.iter().any(|target| matches!(target, Target::Topic(_))) {
        let message = "a topic cannot subscribe to a topic; expected queues, functions and streams";
        reader.report_at(node, "subscribers", message);
    }
}

/// A stream on an outside broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stream {
    /// A Kafka topic.
    Kafka {
        /// The topic's name.
        topic: String,
    },
    /// A Redis stream.
    Redis {
        /// The stream's key.
        stream: String,
    },
}

words! {
    /// The kind of broker that keeps a stream.
    pub enum StreamKind {
        /// Apache Kafka, with the brokers of `[kafka]`.
        Kafka = "kafka",
        /// Redis, with the address of `[redis]`.
        Redis = "redis",
    }
}

table! {
    /// A stream on an outside broker.
    struct RawStream {
        /// The kind of broker: `kafka` or `redis`.
        kind: StreamKind,
        /// The Kafka topic, with `kind = "kafka"`.
        topic: Option<String>,
        /// The Redis stream, with `kind = "redis"`.
        stream: Option<String>,
    }
}

impl Value for Stream {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let raw = RawStream::read(node, reader)?;
        let key = match (raw.kind, raw.topic, raw.stream) {
            (StreamKind::Kafka, Some(topic), None) => return Some(Self::Kafka { topic }),
            (StreamKind::Redis, None, Some(stream)) => return Some(Self::Redis { stream }),
            (StreamKind::Kafka, ..) => "topic",
            (StreamKind::Redis, ..) => "stream",
        };
        let message = format!("a stream of kind `{}` has another key", raw.kind.as_str());
        reader.report(node.problem(message).expected(format!("`{key}` and no other name")))
    }

    fn schema() -> Json {
        RawStream::schema()
    }
}
