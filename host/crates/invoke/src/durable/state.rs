//! What stands under an idempotency key.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde::{Deserialize, Serialize};
use wfh_event::{Failure, FailureClass, InvocationId};

use super::record::{encode, shortened};
use super::text::{self, Octets};
use crate::http_event::is_retried;
use crate::{Body, EventReply, Outcome, Reply, Tail, bytes_body};

/// Says that an answer is a recorded one.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The state of a key that has one. A key whose call runs now is leased instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(crate) enum KeyState {
    /// An invocation was accepted, or put off, and will run.
    Accepted { made_by: Origin },
    /// It was answered.
    Succeeded { made_by: Origin, answer: Answer },
    /// It failed for good.
    Dead { made_by: Origin, letter: String, class: String, detail: String },
}

/// The call that gave a key its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    #[serde(with = "text")]
    pub(crate) invocation: InvocationId,
    /// What was sent under the key.
    pub(crate) payload: String,
}

/// A recorded answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Answer {
    /// Of an HTTP function.
    Http { status: u16, headers: Vec<(String, Octets)>, body: Octets },
    /// Of an event function.
    Event {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        datacontenttype: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Octets>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attributes: Vec<(String, String)>,
    },
    /// The event was rejected.
    Rejected { detail: String },
    /// The answer was larger than what is recorded.
    TooLarge { detail: String },
}

impl KeyState {
    pub(crate) fn to_bytes(&self) -> Bytes {
        encode(self)
    }

    /// Reads a state.
    ///
    /// # Errors
    /// It was not written by this host.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(bytes).map_err(|error| {
            let detail = format!("the record of an idempotency key cannot be read: {error}");
            Failure::new(FailureClass::Internal, detail)
        })
    }

    pub(crate) fn made_by(&self) -> &Origin {
        match self {
            Self::Accepted { made_by }
            | Self::Succeeded { made_by, .. }
            | Self::Dead { made_by, .. } => made_by,
        }
    }
}

/// The failure of a call that is under way already.
pub(crate) fn in_flight() -> Failure {
    let detail = "a call with this key is in flight";
    Failure::new(FailureClass::Conflict, detail)
}

/// The failure of a call whose key was used for something else.
pub(crate) fn mismatch() -> Failure {
    let detail = "the idempotency key was used with another payload";
    Failure::new(FailureClass::Mismatch, detail)
}

impl Answer {
    /// What is recorded of an event function's reply.
    pub(crate) fn of_reply(reply: &EventReply) -> Self {
        Self::Event {
            datacontenttype: reply.datacontenttype.clone(),
            data: reply.data.clone().map(Octets),
            attributes: reply.attributes.clone(),
        }
    }

    /// What is recorded of a whole response.
    pub(crate) fn of_response(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Self {
        let value = |value: &HeaderValue| Octets(Bytes::copy_from_slice(value.as_bytes()));
        let headers = headers.iter().map(|(name, text)| (name.to_string(), value(text)));
        Self::Http { status: status.as_u16(), headers: headers.collect(), body: Octets(body) }
    }

    pub(crate) fn rejected(failure: &Failure) -> Self {
        Self::Rejected { detail: shortened(&failure.detail) }
    }

    /// The outcome of the call that was recorded, again.
    pub(crate) fn replay(self) -> Outcome {
        match self {
            Self::Http { status, headers, body } => {
                Outcome::Done(Reply::Http(response(status, headers, body), Tail::default()))
            }
            Self::Event { datacontenttype, data, mut attributes } => {
                attributes.push((REPLAYED.to_string(), "true".to_owned()));
                let data = data.map(|data| data.0);
                let reply = EventReply { datacontenttype, data, attributes, emit: Vec::new() };
                Outcome::Done(Reply::Event(reply))
            }
            Self::Rejected { detail } => replayed(FailureClass::Rejected, detail),
            Self::TooLarge { detail } => replayed(FailureClass::Trap, detail),
        }
    }
}

fn replayed(class: FailureClass, detail: String) -> Outcome {
    Outcome::Failed(Failure { replayed: true, ..Failure::new(class, detail) })
}

fn response(status: u16, headers: Vec<(String, Octets)>, body: Octets) -> Response<Body> {
    let mut response = Response::new(bytes_body(body.0));
    // What was recorded was a response, so it is one again.
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok();
        let value = HeaderValue::from_maybe_shared(value.0).ok();
        if let (Some(name), Some(value)) = (name, value) {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// Whether an answer of this status is recorded: what may be different next time is not.
pub(crate) fn is_recorded(status: StatusCode) -> bool {
    !is_retried(status)
}
