//! `[[trigger.redis]]`

use std::time::Duration;

use serde_json::Value as Json;
use wfh_event::{Target, TriggerName};

use super::{Batch, Filter, TriggerKind};
use crate::read::{Either, Node, Reader, Value, either, hours, seconds, table, words};

/// Entries of a Redis stream or list.
#[derive(Debug, Clone, PartialEq)]
pub struct RedisTrigger {
    given_name: Option<TriggerName>,
    /// The server; without it that of `[redis]`.
    pub url: Option<String>,
    /// What is read.
    pub source: RedisSource,
    /// The consumer group; `APP-TRIGGER` without it.
    pub group: Option<String>,
    /// What is called.
    pub target: Target,
    /// The path of the request that an HTTP function gets.
    pub path: String,
    /// How many entries one call gets.
    pub batch: Batch,
    /// In which order entries are handled.
    pub order: RedisOrder,
    /// Where a group that does not exist yet begins.
    pub start: RedisStart,
    /// How long an entry may stay unacknowledged before another consumer claims it.
    pub visibility: Duration,
    /// Entries that were read and are not acknowledged.
    pub in_flight_max: u32,
    /// Which entries are given to the target.
    pub filter: Filter,
    /// Whether entries that every group has acknowledged are removed from the stream.
    pub trim: bool,
    /// Its share of the target's `concurrency`.
    pub weight: u32,
}

/// What a Redis trigger reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisSource {
    /// A consumer group on a stream.
    Stream(String),
    /// A reliable list queue.
    List(String),
}

table! {
    /// Entries of a Redis stream or list.
    struct RawRedisTrigger {
        /// Keys the trigger's durable state; derived from the stream or list without it.
        name: Option<TriggerName>,
        /// The server; without it that of `[redis]`.
        url: Option<String>,
        /// The stream, read by a consumer group; or `list`.
        stream: Option<String>,
        /// The list, read as a reliable queue; or `stream`.
        list: Option<String>,
        /// The consumer group; `APP-TRIGGER` without it.
        group: Option<String>,
        /// What is called.
        target: Target,
        /// The path of the request that an HTTP function gets.
        path: String = "/".to_owned(),
        /// How many entries one call gets.
        batch: Batch,
        /// In which order entries are handled.
        order: RedisOrder = RedisOrder::None,
        /// Where a group that does not exist yet begins.
        start: RedisStart = RedisStart::Earliest,
        /// How long an entry may stay unacknowledged before another consumer claims it.
        visibility: Duration [seconds(1)..=hours(12)] = seconds(30),
        /// Entries that were read and are not acknowledged.
        in_flight_max: u32 [1..=1_000_000] = 256,
        /// Which entries are given to the target: patterns on `headers` and `value`.
        filter: Filter,
        /// Whether entries that every group of the stream has acknowledged are removed from it.
        trim: bool = false,
        /// Its share of the target's `concurrency`, beside others that lead there.
        weight: u32 [1..=1_000] = 1,
    }
}

words! {
    /// In which order entries are handled.
    pub enum RedisOrder {
        /// In any.
        None = "none",
        /// One active consumer at a time.
        Stream = "stream",
    }
}

words! {
    /// Where a consumer group that does not exist yet begins.
    pub enum RedisStart {
        /// At the oldest entry.
        Earliest = "earliest",
        /// Behind the newest entry.
        Latest = "latest",
    }
}

impl Value for RedisTrigger {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let raw = RawRedisTrigger::read(node, reader)?;
        let source = match either(node, ["stream", "list"], (raw.stream, raw.list), reader)? {
            Either::First(stream) => RedisSource::Stream(stream),
            Either::Second(list) => RedisSource::List(list),
        };
        if let RedisSource::List(_) = source {
            if raw.order == RedisOrder::Stream {
                reader.report_at(node, "order", "only a `stream` has an order");
            }
            if raw.trim {
                reader.report_at(node, "trim", "only a `stream` is trimmed");
            }
        }
        Some(Self {
            given_name: raw.name,
            url: raw.url,
            source,
            group: raw.group,
            target: raw.target,
            path: raw.path,
            batch: raw.batch,
            order: raw.order,
            start: raw.start,
            visibility: raw.visibility,
            in_flight_max: raw.in_flight_max,
            filter: raw.filter,
            trim: raw.trim,
            weight: raw.weight,
        })
    }

    fn schema() -> Json {
        RawRedisTrigger::schema()
    }
}

impl TriggerKind for RedisTrigger {
    fn given_name(&self) -> Option<&TriggerName> {
        self.given_name.as_ref()
    }

    fn derived_name(&self) -> String {
        match &self.source {
            RedisSource::Stream(name) | RedisSource::List(name) => name.clone(),
        }
    }
}
