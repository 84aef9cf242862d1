//! What stands in a queue: an event on its way, and how far it has come.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use wfh_event::{Event, EventId, FailureClass, InvocationId, Target};
use wfh_store::{Expect, Key, Op};
use wfh_telemetry::TraceContext;

use super::text::{self, Octets};
use crate::{HttpOrigin, Item};

/// The keys of invocations' statuses begin with it.
pub(crate) const INVOCATIONS: &str = "invocation/";
/// The tries whose story is kept.
const TRIES_MAX: usize = 20;
/// What is kept of an error's text.
const DETAIL_BYTES_MAX: usize = 2_048;

/// The body of an entry: everything about an event that never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Identifies the invocation from its acceptance to its end.
    #[serde(with = "text")]
    pub invocation: InvocationId,
    /// The event.
    pub(crate) event: StoredEvent,
    /// Where an HTTP function receives it, unless its trigger says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    pub(crate) event_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Octets>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) headers: Vec<(String, Octets)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attributes: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) http: Option<StoredRequest>,
    #[serde(default)]
    pub(crate) hops: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tracestate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) baggage: Option<String>,
    /// The idempotency key that was claimed when it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) claim: Option<StoredClaim>,
    /// Whether its status is kept under its invocation id.
    #[serde(default)]
    pub(crate) has_status: bool,
    /// How often it was taken out of the dead letters.
    #[serde(default)]
    pub(crate) redrives: u32,
}

/// An idempotency key and what was sent under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredClaim {
    pub(crate) key: String,
    pub(crate) payload: String,
}

/// A CloudEvent, close to its JSON format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredEvent {
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) r#type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) datacontenttype: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dataschema: Option<String>,
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub(crate) extensions: std::collections::BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Octets>,
}

/// The request that an event was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredRequest {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: Vec<(String, Octets)>,
}

/// The state of an entry: how far it has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Tries that ended.
    #[serde(default)]
    pub(crate) attempts: u32,
    /// When the first one began, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_at_ms: Option<u64>,
    /// How the last ones ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tries: Vec<Try>,
}

/// How one try ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Try {
    /// When it ended, in milliseconds since 1970.
    pub at_ms: u64,
    /// The class of its failure.
    pub class: String,
    /// The failure, for operators.
    pub detail: String,
}

impl Progress {
    /// Notes a try that failed.
    pub(crate) fn failed(&mut self, at_ms: u64, class: FailureClass, detail: &str) {
        self.attempts = self.attempts.saturating_add(1);
        if self.tries.len() >= TRIES_MAX {
            self.tries.remove(0);
        }
        let detail = shortened(detail);
        self.tries.push(Try { at_ms, class: class.as_str().to_owned(), detail });
    }

    /// Tries that ended.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The same, with one more try: one whose end the host may not see.
    #[must_use]
    pub fn started(&self) -> Self {
        Self { attempts: self.attempts.saturating_add(1), ..self.clone() }
    }

    /// What is kept of it.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        encode(self)
    }

    /// A state that is empty or not ours counts as a beginning.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }
}

/// What is kept of a failure's text: its beginning, to a character's boundary.
pub(crate) fn shortened(detail: &str) -> String {
    let end = detail.floor_char_boundary(DETAIL_BYTES_MAX);
    detail.get(..end).unwrap_or_default().to_owned()
}

/// The JSON of a record. Our records have string keys only, so nothing of them is refused.
pub(crate) fn encode(record: &impl Serialize) -> Bytes {
    serde_json::to_vec(record).unwrap_or_default().into()
}

impl Record {
    /// Notes down an item that is accepted as `invocation`.
    pub(crate) fn new(
        invocation: InvocationId,
        item: Item,
        hops: u8,
        trace: &TraceContext,
    ) -> Self {
        Self {
            invocation,
            event: item.event.into(),
            path: item.path.map(|path| path.to_string()),
            event_key: item.event_key,
            key: item.key.map(Octets),
            headers: octets(item.headers),
            attributes: item.attributes,
            http: item.http.map(|http| StoredRequest::from(*http)),
            hops,
            traceparent: Some(trace.to_string()),
            tracestate: trace.tracestate().map(str::to_owned),
            baggage: trace.baggage().map(str::to_owned),
            claim: None,
            has_status: false,
            redrives: 0,
        }
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        encode(self)
    }

    /// Reads the body of an entry.
    ///
    /// # Errors
    /// It was not written by this host.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Where in which trace it stands.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        let text = Option::<String>::as_deref;
        TraceContext::below(text(&self.traceparent), text(&self.tracestate), text(&self.baggage))
    }

    /// The id of its event.
    #[must_use]
    pub fn event_id(&self) -> &str {
        &self.event.id
    }

    /// How many functions it has come through.
    #[must_use]
    pub fn hops(&self) -> u8 {
        self.hops
    }

    /// The item that it was, on try number `attempt`, for an HTTP function to be posted to `path`;
    /// `None` if it was not written by this host and is no event.
    #[must_use]
    pub fn item(&self, attempt: u32, path: Option<Arc<str>>) -> Option<Item> {
        let headers = self.headers.iter();
        let path = path.or_else(|| self.path.as_deref().map(Arc::from));
        Some(Item {
            attempt,
            key: self.key.clone().map(|key| key.0),
            headers: headers.map(|(name, value)| (name.clone(), value.0.clone())).collect(),
            attributes: self.attributes.clone(),
            http: self.http.as_ref().and_then(StoredRequest::origin).map(Box::new),
            path,
            trace: self.trace(),
            ..Item::new(self.event.clone().into_event()?, self.event_key.clone())
        })
    }
}

fn octets(headers: Vec<(String, Bytes)>) -> Vec<(String, Octets)> {
    headers.into_iter().map(|(name, value)| (name, Octets(value))).collect()
}

impl From<Event> for StoredEvent {
    fn from(event: Event) -> Self {
        Self {
            id: event.id.to_string(),
            source: event.source,
            r#type: event.r#type,
            subject: event.subject,
            time: event.time,
            datacontenttype: event.datacontenttype,
            dataschema: event.dataschema,
            extensions: event.extensions,
            data: event.data.map(Octets),
        }
    }
}

impl StoredEvent {
    /// The event; `None` when the record is not one of ours, since then it has no id.
    pub(crate) fn into_event(self) -> Option<Event> {
        Some(Event {
            id: EventId::new(&self.id)?,
            source: self.source,
            r#type: self.r#type,
            subject: self.subject,
            time: self.time,
            datacontenttype: self.datacontenttype,
            dataschema: self.dataschema,
            extensions: self.extensions,
            data: self.data.map(|data| data.0),
        })
    }
}

impl From<HttpOrigin> for StoredRequest {
    fn from(origin: HttpOrigin) -> Self {
        let value = |value: &HeaderValue| Octets(Bytes::copy_from_slice(value.as_bytes()));
        let headers = origin.headers.iter();
        Self {
            method: origin.method.to_string(),
            uri: origin.uri.to_string(),
            headers: headers.map(|(name, text)| (name.to_string(), value(text))).collect(),
        }
    }
}

impl StoredRequest {
    fn origin(&self) -> Option<HttpOrigin> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_maybe_shared(value.0.clone()).ok()?);
        }
        Some(HttpOrigin { method: self.method.parse().ok()?, uri: self.uri.parse().ok()?, headers })
    }
}

/// What comes of an asynchronous call, readable while it runs and for a time afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvocationStatus {
    /// Its id.
    #[serde(with = "text")]
    pub id: InvocationId,
    /// What is called.
    #[serde(with = "text")]
    pub target: Target,
    /// How far it is.
    pub state: InvocationState,
    /// Tries that ended.
    pub attempts: u32,
    /// When it was accepted, in milliseconds since 1970.
    pub accepted_at_ms: u64,
    /// When it last changed, in milliseconds since 1970.
    pub updated_at_ms: u64,
    /// When its next try is due, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at_ms: Option<u64>,
    /// How the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Try>,
    /// The dead letter it became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<String>,
}

impl InvocationStatus {
    /// That of a call which waits for its first try.
    pub(crate) fn queued(id: InvocationId, target: Target, now_ms: u64) -> Self {
        Self {
            id,
            target,
            state: InvocationState::Queued,
            attempts: 0,
            accepted_at_ms: id.time_ms(),
            updated_at_ms: now_ms,
            due_at_ms: None,
            failure: None,
            dead_letter: None,
        }
    }

    /// The key under which it is kept; an id is never longer than a key may be.
    #[must_use]
    pub fn key(id: InvocationId) -> Option<Key> {
        Key::new(&format!("{INVOCATIONS}{id}")).ok()
    }

    /// The write of it.
    pub(crate) fn put(&self, ttl: Duration) -> Option<Op> {
        let (key, bytes) = (Self::key(self.id)?, encode(self));
        Some(Op::Put { key, bytes, expect: Expect::Any, ttl: Some(ttl) })
    }
}

/// How far an asynchronous call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InvocationState {
    /// It waits for its first try.
    Queued,
    /// It runs.
    Running,
    /// It failed and waits for its next try.
    Waiting,
    /// It succeeded.
    Succeeded,
    /// It failed for good.
    Failed,
}
