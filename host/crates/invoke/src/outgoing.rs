//! Events that functions send: what they are, and who takes them.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use thiserror::Error;
use wfh_event::{Event, EventId, Failure, Target};
use wfh_telemetry::{KeyValue, Recording, SpanKind, TraceContext, attribute, meters, tracer};

use crate::Item;

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

/// Records that an event was made at `at`, which is its position from now on: what it causes is
/// below.
pub fn created(at: &TraceContext, target: &Target, event: &Event) {
    let about = messaging("wfh", target.to_string(), "create");
    meters().sent(1, &about);
    let Some(mut recording) = tracer().begin(at, SpanKind::Producer, "") else { return };
    recording.rename(format!("create {target}"));
    about.into_iter().for_each(|pair| recording.set_pair(pair));
    recording.set(attribute::MESSAGING_OPERATION_TYPE, "create");
    recording.set(attribute::MESSAGING_MESSAGE_ID, event.id.to_string());
    recording.set(attribute::CLOUDEVENTS_EVENT_ID, event.id.to_string());
    recording.set(attribute::CLOUDEVENTS_EVENT_SOURCE, event.source.clone());
    recording.set(attribute::CLOUDEVENTS_EVENT_TYPE, event.r#type.clone());
    recording.end();
}

/// What spans and metrics of messaging have in common.
pub(crate) fn messaging(
    system: &'static str,
    destination: String,
    operation: &'static str,
) -> [KeyValue; 3] {
    [
        KeyValue::new(attribute::MESSAGING_SYSTEM, system),
        KeyValue::new(attribute::MESSAGING_DESTINATION_NAME, destination),
        KeyValue::new(attribute::MESSAGING_OPERATION_NAME, operation),
    ]
}

/// The span of an event that goes to a server outside; its position is the one that is sent along.
pub struct Sending {
    recording: Option<Recording>,
    about: [KeyValue; 3],
}

impl Sending {
    /// Sends `item` to `destination` in a system such as `kafka`.
    #[must_use]
    pub fn begin(item: &Item, system: &'static str, destination: &str) -> Self {
        let about = messaging(system, destination.to_owned(), "send");
        let begun = item.trace.as_ref().and_then(|at| tracer().begin(at, SpanKind::Producer, ""));
        let recording = begun.map(|mut recording| {
            recording.rename(format!("send {destination}"));
            about.iter().for_each(|pair| recording.set_pair(pair.clone()));
            recording.set(attribute::MESSAGING_OPERATION_TYPE, "send");
            recording.set(attribute::MESSAGING_MESSAGE_ID, item.event.id.to_string());
            let bytes = item.event.data.as_ref().and_then(|data| i64::try_from(data.len()).ok());
            recording.set_some(attribute::MESSAGING_MESSAGE_BODY_SIZE, bytes);
            recording
        });
        Self { recording, about }
    }

    /// The server has it, or not.
    pub fn end<T>(self, sent: &Result<T, Failure>) {
        if sent.is_ok() {
            meters().sent(1, &self.about);
        }
        let Some(mut recording) = self.recording else { return };
        if let Err(failure) = sent {
            recording.fail(failure.class.as_str(), failure.detail.clone());
        }
        recording.end();
    }
}
