//! A request to an event function is an event, and its reply a response.

use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Request;
use tokio::time::{Instant, timeout_at};
use wfh_event::{Failure, InvocationId};

use super::all_failed;
use crate::body::slow_body;
use crate::{
    HttpInput, HttpOrigin, Input, Invocation, Invoke, Item, Outcome, Reply, Tail, collect_body,
    event_from_request, response_from_reply,
};

/// What a function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Requests, as they stream in.
    Requests,
    /// Events: bodies come in one piece.
    Events {
        /// The largest.
        bytes_max: u64,
    },
}

/// Turns requests into events for a function that takes events.
pub struct Adapt<I> {
    inner: I,
    takes: Takes,
    body_timeout: Duration,
}

impl<I> Adapt<I> {
    /// Gives `inner` what it takes. A body must have come within `body_timeout`.
    pub fn new(inner: I, takes: Takes, body_timeout: Duration) -> Self {
        Self { inner, takes, body_timeout }
    }
}

impl<I: Invoke> Invoke for Adapt<I> {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        match (self.takes, invocation.input) {
            (Takes::Events { bytes_max }, Input::Http(input)) => {
                let invocation = Invocation { input: Input::Events(Vec::new()), ..invocation };
                Box::pin(self.as_event(invocation, *input, bytes_max))
            }
            (_, input) => self.inner.invoke(Invocation { input, ..invocation }),
        }
    }
}

impl<I: Invoke> Adapt<I> {
    async fn as_event(
        &self,
        mut invocation: Invocation,
        input: HttpInput,
        bytes_max: u64,
    ) -> Vec<Outcome> {
        let own = Instant::now() + self.body_timeout;
        let until = invocation.deadline.map_or(own, |callers| callers.min(own));
        let read = timeout_at(until, item_of(invocation.id, input, bytes_max)).await;
        match read.unwrap_or_else(|_| Err(slow_body(self.body_timeout))) {
            Ok(item) => invocation.input = Input::Events(vec![item]),
            Err(failure) => return all_failed(1, &failure),
        }
        let outcomes = self.inner.invoke(invocation).await;
        outcomes.into_iter().map(as_response).collect()
    }
}

/// The event that a request is, with what the request was.
async fn item_of(id: InvocationId, input: HttpInput, bytes_max: u64) -> Result<Item, Failure> {
    let (parts, body) = input.request.into_parts();
    let body = collect_body(body, bytes_max).await?;
    let (method, uri) = (parts.method.clone(), parts.uri.clone());
    let origin = HttpOrigin { method, uri, headers: parts.headers.clone() };
    let request = Request::from_parts(parts, body);
    let item = event_from_request(id, &input.route, request)?;
    Ok(Item { http: Some(Box::new(origin)), ..item })
}

fn as_response(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Done(Reply::Event(reply)) => {
            Outcome::Done(Reply::Http(response_from_reply(reply), Tail::default()))
        }
        other => other,
    }
}
