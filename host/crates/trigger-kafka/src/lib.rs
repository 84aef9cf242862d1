//! Kafka: records of topics, given to functions, and events sent to topics.
//!
//! Layer L2. This crate must not know another backend, an engine or the manifest. What is common to
//! all triggers that pull is in `wfh-pull`; here is what belongs to Kafka: groups and their
//! rebalances, partitions, offsets, and the CloudEvents binding. Its main types are [`KafkaTrigger`]
//! and [`KafkaSink`].

mod client;
mod committer;
mod config;
mod context;
mod error;
mod partition;
mod record;
mod settings;
mod sink;
mod start;
mod trigger;

pub use config::{KafkaConfig, Order, Start};
pub use error::KafkaTriggerError;
pub use settings::Settings;
pub use sink::KafkaSink;
pub use trigger::KafkaTrigger;
