//! `[[trigger.kafka]]`

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use toml::de::DeValue;
use wfh_event::{Target, TriggerName};

use super::{Batch, Filter, TriggerKind};
use crate::Setting;
use crate::read::{Misfit, Node, OneOrMany, Reader, Text, Value, expandable, table, word, words};

table! {
    /// Records of Kafka topics.
    #[check(names)]
    pub struct KafkaTrigger {
        /// Keys the trigger's durable state; derived from the topics without it.
        given_name: Option<TriggerName> as "name",
        /// The brokers; without it those of `[kafka]`, with its options.
        brokers: Option<String>,
        /// The topics.
        topics: OneOrMany<String>,
        /// The consumer group; `APP-TRIGGER` without it.
        group: Option<String>,
        /// What is called.
        target: Target,
        /// The path of the request that an HTTP function gets.
        path: String = "/".to_owned(),
        /// How many records one call gets.
        batch: Batch,
        /// In which order records are handled.
        order: KafkaOrder = KafkaOrder::Partition,
        /// Bounds highest fetched minus committed, per partition.
        in_flight_max: u32 [1..=1_000_000] = 256,
        /// Where a group without commits begins: `earliest`, `latest` or `{ timestamp = "..." }`.
        start: KafkaStart = KafkaStart::Earliest,
        /// Which records are given to the target: patterns on `key`, `headers` and `value`.
        filter: Filter,
        /// Its share of the target's `concurrency`, beside others that lead there.
        weight: u32 [1..=1_000] = 1,
        /// Any key of librdkafka, as a text, or as `{ env = "NAME" }` or `{ file = "..." }`.
        options: BTreeMap<String, Setting>,
    }
}

/// What Kafka takes for the name of a topic: 249 of these characters.
const TOPIC_LENGTH_MAX: usize = 249;

fn names(trigger: &KafkaTrigger, node: &Node<'_>, reader: &mut Reader<'_>) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    for topic in &trigger.topics.0 {
        let fits = (1..=TOPIC_LENGTH_MAX).contains(&topic.len()) && topic.chars().all(is_plain);
        if !fits {
            let told = format!(
                "{topic:?} is no topic's name; expected letters, digits, `.`, `_` and `-`, and no \
                 pattern"
            );
            reader.report_at(node, "topics", told);
        }
    }
    if trigger.group.as_ref().is_some_and(String::is_empty) {
        reader.report_at(node, "group", "a consumer group has a name");
    }
}

impl TriggerKind for KafkaTrigger {
    fn given_name(&self) -> Option<&TriggerName> {
        self.given_name.as_ref()
    }

    fn derived_name(&self) -> String {
        self.topics.0.join(",")
    }
}

words! {
    /// In which order records are handled.
    pub enum KafkaOrder {
        /// One after another in each partition.
        Partition = "partition",
        /// One after another among those with an equal key.
        Key = "key",
        /// In any.
        None = "none",
    }
}

/// Where a consumer group without commits begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KafkaStart {
    /// At the oldest record.
    Earliest,
    /// Behind the newest record.
    Latest,
    /// At the first record of that time or later.
    Timestamp(Timestamp),
}

table! {
    /// A point in time.
    struct RawTimestamp {
        /// RFC 3339.
        timestamp: Timestamp,
    }
}

impl Value for KafkaStart {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(node.value, DeValue::Table(_)) {
            return RawTimestamp::read(node, reader).map(|raw| Self::Timestamp(raw.timestamp));
        }
        match word(&["earliest", "latest"], node, reader)?.as_str() {
            "earliest" => Some(Self::Earliest),
            _ => Some(Self::Latest),
        }
    }

    fn schema() -> Json {
        let words = expandable(json!({ "enum": ["earliest", "latest"] }));
        json!({ "anyOf": [words, RawTimestamp::schema()] })
    }

    fn show(&self) -> Json {
        match self {
            Self::Earliest => "earliest".into(),
            Self::Latest => "latest".into(),
            Self::Timestamp(timestamp) => json!({ "timestamp": timestamp.to_string() }),
        }
    }
}

impl Text for Timestamp {
    const WHAT: &'static str = "a point in time";
    const EXPECTED: &'static str = "a time such as \"2026-01-31T12:00:00Z\"";

    fn parse(text: &str) -> Result<Self, Misfit> {
        text.parse().map_err(|_| Misfit::default())
    }

    fn print(&self) -> String {
        self.to_string()
    }
}
