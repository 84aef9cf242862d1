//! What the trigger is told. The host makes it from the manifest.

use std::hash::{DefaultHasher, Hash, Hasher};

use wfh_pull::PullConfig;

use crate::Settings;

/// Some topics and who takes their records.
#[derive(Debug, Clone, PartialEq)]
pub struct KafkaConfig {
    /// The brokers.
    pub settings: Settings,
    /// The topics.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// In which order records are handled.
    pub order: Order,
    /// Records of a partition that were fetched and are not committed.
    pub in_flight_max: usize,
    /// Where a group without commits begins.
    pub start: Start,
    /// The target, and what it is given at once.
    pub pull: PullConfig,
}

/// In which order records are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// One after another in each partition.
    Partition,
    /// One after another among those of a partition with an equal key.
    Key,
    /// In any.
    None,
}

impl Order {
    /// The lane of a record in its partition.
    pub(crate) fn lane(self, key: Option<&[u8]>) -> Option<u64> {
        match self {
            Self::Partition => Some(0),
            Self::Key => key.map(|key| {
                let mut hasher = DefaultHasher::new();
                key.hash(&mut hasher);
                hasher.finish()
            }),
            Self::None => None,
        }
    }
}

/// Where a group without commits begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record.
    Earliest,
    /// Behind the newest record.
    Latest,
    /// At the first record of that time or later, in milliseconds since 1970.
    Timestamp(i64),
}
