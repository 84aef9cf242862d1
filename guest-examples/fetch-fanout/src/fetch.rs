//! One outgoing call, as a state machine that never blocks.

use serde_json::{Value, json};
use wasip2::http::types::{ErrorCode, FutureIncomingResponse, IncomingBody, IncomingResponse};
use wasip2::io::poll::Pollable;
use wasip2::io::streams::{InputStream, StreamError};

const READ_BYTES_MAX: u64 = 64 * 1024;

pub enum Fetch {
    Sent(FutureIncomingResponse),
    Reading(Body),
    Done { status: u16, bytes: u64 },
    Failed(String),
}

/// An answer whose body is on its way. Fields drop in order: the stream before its body.
pub struct Body {
    status: u16,
    bytes: u64,
    stream: InputStream,
    _body: IncomingBody,
}

impl Fetch {
    pub fn send(url: &str) -> Self {
        match support::get(url, &[]) {
            Ok(future) => Self::Sent(future),
            Err(code) => Self::failed(&code),
        }
    }

    /// What to wait for; nothing once the fetch is over.
    pub fn subscribe(&self) -> Option<Pollable> {
        match self {
            Self::Sent(future) => Some(future.subscribe()),
            Self::Reading(body) => Some(body.stream.subscribe()),
            Self::Done { .. } | Self::Failed(_) => None,
        }
    }

    /// Takes the next step, after the pollable said that there is one.
    pub fn advance(&mut self) {
        let next = match self {
            Self::Sent(future) => match future.get() {
                Some(Ok(Ok(response))) => Some(Self::read(&response)),
                Some(Ok(Err(code))) => Some(Self::failed(&code)),
                Some(Err(())) => Some(Self::Failed("the answer was taken before".into())),
                None => None,
            },
            Self::Reading(body) => body.read(),
            Self::Done { .. } | Self::Failed(_) => None,
        };
        if let Some(next) = next {
            *self = next;
        }
    }

    pub fn report(&self) -> Value {
        match self {
            Self::Done { status, bytes } => json!({ "status": status, "bytes": bytes }),
            Self::Failed(error) => json!({ "error": error }),
            Self::Sent(_) | Self::Reading(_) => json!({ "error": "not finished" }),
        }
    }

    fn read(response: &IncomingResponse) -> Self {
        let Ok(body) = response.consume() else {
            return Self::Failed("no body".into());
        };
        let Ok(stream) = body.stream() else {
            return Self::Failed("no body stream".into());
        };
        Self::Reading(Body { status: response.status(), bytes: 0, stream, _body: body })
    }

    fn failed(code: &ErrorCode) -> Self {
        Self::Failed(format!("{code:?}"))
    }
}

impl Body {
    fn read(&mut self) -> Option<Fetch> {
        match self.stream.read(READ_BYTES_MAX) {
            Ok(chunk) => {
                self.bytes += chunk.len() as u64;
                None
            }
            Err(StreamError::Closed) => {
                Some(Fetch::Done { status: self.status, bytes: self.bytes })
            }
            Err(StreamError::LastOperationFailed(error)) => {
                Some(Fetch::Failed(error.to_debug_string()))
            }
        }
    }
}
