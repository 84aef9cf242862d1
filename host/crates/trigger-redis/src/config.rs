//! What the trigger is told. The host makes it from the manifest.

use std::time::Duration;

use wfh_pull::PullConfig;

use crate::Server;

/// A stream or a list, and who takes its entries.
#[derive(Debug, Clone, PartialEq)]
pub struct RedisConfig {
    /// The server.
    pub server: Server,
    /// What is read.
    pub source: RedisSource,
    /// The consumer group; of a list, who shares it.
    pub group: String,
    /// What this replica is called among those that read the same.
    pub consumer: String,
    /// Entries that were read and are not acknowledged.
    pub in_flight_max: usize,
    /// How long an entry may stay unacknowledged before another consumer claims it.
    pub visibility: Duration,
    /// The target, and what it is given at once.
    pub pull: PullConfig,
}

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisSource {
    /// A consumer group on a stream.
    Stream(StreamConfig),
    /// A list.
    List(String),
}

/// A stream, and how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamConfig {
    /// Its key.
    pub stream: String,
    /// Whether its entries are handled one after another, by one consumer at a time.
    pub ordered: bool,
    /// Whether a group that does not exist yet begins behind the newest entry, not at the oldest.
    pub from_latest: bool,
    /// Whether entries are removed that every group has acknowledged.
    pub trim: bool,
}

impl RedisSource {
    /// The key of the stream or list.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Stream(config) => &config.stream,
            Self::List(list) => list,
        }
    }
}
