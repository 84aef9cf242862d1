//! What is passed down the layers.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use tokio::time::Instant;
use wfh_event::{Event, InvocationId, Target};
use wfh_telemetry::TraceContext;

use crate::Body;

/// One call of one target.
pub struct Invocation {
    /// Identifies the call in logs, answers and records.
    pub id: InvocationId,
    /// What is called.
    pub target: Target,
    /// When the caller stops waiting. Layers may only bring it forward.
    pub deadline: Option<Instant>,
    /// How many functions of this host the call has come through.
    pub hops: u8,
    /// Where in which trace the call stands.
    pub trace: TraceContext,
    /// The payload.
    pub input: Input,
}

/// The payload of an invocation.
pub enum Input {
    /// A streaming HTTP request.
    Http(Box<HttpInput>),
    /// One event, or a batch.
    Events(Vec<Item>),
}

/// An HTTP request and where it came in.
pub struct HttpInput {
    /// The request. Its URI has an authority, its headers are those the guest may see.
    pub request: Request<Body>,
    /// The route's pattern, such as `/orders/{id}`.
    pub route: Arc<str>,
}

/// One event with the circumstances of its delivery.
#[derive(Debug, Clone)]
pub struct Item {
    /// The event.
    pub event: Event,
    /// 1 for the first try.
    pub attempt: u32,
    /// The stable key under which outside effects of this event can be deduplicated.
    pub event_key: String,
    /// The key of the source's record, raw.
    pub key: Option<Bytes>,
    /// The headers of the source's record, raw.
    pub headers: Vec<(String, Bytes)>,
    /// Where it came from: route, topic, partition, ...
    pub attributes: Vec<(String, String)>,
}

impl Input {
    /// How many outcomes the invocation owes.
    #[must_use]
    pub fn items(&self) -> usize {
        match self {
            Self::Http(_) => 1,
            Self::Events(items) => items.len(),
        }
    }
}
