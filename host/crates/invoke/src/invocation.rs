//! What is passed down the layers.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use tokio::time::Instant;
use wfh_event::{Event, InvocationId, Target};
use wfh_telemetry::{Phases, TraceContext};

use crate::{Body, Delivery};

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
    /// How many attempts there are in all, this one included.
    pub attempts_max: u32,
    /// Where in which trace the call stands.
    pub trace: TraceContext,
    /// Where it is noted how long its phases took, if anybody wants to know.
    pub phases: Option<Arc<Phases>>,
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
    /// Where an HTTP function receives it; `None` is `/`.
    pub path: Option<Arc<str>>,
    /// The request that it was, if it was one: an HTTP function receives that again.
    pub http: Option<Box<HttpOrigin>>,
    /// Where in which trace it stands; without it, where its invocation does.
    pub trace: Option<TraceContext>,
    /// How it came out of a queue of the store, if it did; a caller waits for it otherwise.
    pub delivery: Option<Box<Delivery>>,
}

/// A request that was accepted to be served later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpOrigin {
    /// Its method.
    pub method: Method,
    /// Its URI, path and query at least.
    pub uri: Uri,
    /// The headers that a guest may see.
    pub headers: HeaderMap,
}

impl Item {
    /// A first attempt at `event`, of which nothing more is known.
    #[must_use]
    pub fn new(event: Event, event_key: String) -> Self {
        Self {
            event,
            attempt: 1,
            event_key,
            key: None,
            headers: Vec::new(),
            attributes: Vec::new(),
            path: None,
            http: None,
            trace: None,
            delivery: None,
        }
    }
}

/// The key of an event unless its sender gives another: what CloudEvents holds to be unique.
#[must_use]
pub fn event_key(source: &str, id: &str) -> String {
    format!("{source}#{id}")
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
