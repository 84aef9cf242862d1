//! Events that functions send: what they are, and who takes them.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use thiserror::Error;
use wfh_event::{Event, EventId, Target};

/// An event for somebody else. Its id and source are filled in, and its target is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where it goes.
    pub target: Target,
    /// The event.
    pub event: Event,
    /// The key of the target's record, where the target has keys.
    pub key: Option<Bytes>,
    /// Headers of the target's record, where the target has headers.
    pub headers: Vec<(String, Bytes)>,
    /// How long the target holds it back.
    pub delay: Option<Duration>,
    /// How many functions of this host it has come through, its sender included: what it causes
    /// begins there, so that `limits.hops_max` ends loops.
    pub hops: u8,
}

/// Why nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PublishError {
    /// The target does not exist, or the event is not fit for it.
    #[error("{0}")]
    Invalid(String),
    /// The target holds as much as it may.
    #[error("{0}")]
    Full(String),
    /// It could not be stored now.
    #[error("{0}")]
    Unavailable(String),
}

/// Takes events on behalf of their targets: queues, topics, streams, other functions.
pub trait Publisher: Send + Sync {
    /// Makes all of `messages` durable, or none, and gives their ids in order.
    ///
    /// Not cancel-safe: a future dropped before its end may or may not have sent them all.
    fn publish(&self, messages: Vec<Outgoing>)
    -> BoxFuture<'_, Result<Vec<EventId>, PublishError>>;
}
