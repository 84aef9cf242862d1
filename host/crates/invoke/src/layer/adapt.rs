//! A request to an event function is an event, and its reply a response.

use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Request;

use super::all_failed;
use crate::body::collect_in_time;
use crate::cloud_event::item_from_request;
use crate::{HttpInput, Input, Invocation, Invoke, Outcome, Reply, Tail, response_from_reply};

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
        let (parts, body) = input.request.into_parts();
        let body = collect_in_time(body, bytes_max, self.body_timeout, invocation.deadline).await;
        let item = body.and_then(|body| {
            let request = Request::from_parts(parts, body);
            item_from_request(invocation.id, &input.route, request)
        });
        match item {
            Ok(item) => invocation.input = Input::Events(vec![item]),
            Err(failure) => return all_failed(1, &failure),
        }
        let outcomes = self.inner.invoke(invocation).await;
        outcomes.into_iter().map(as_response).collect()
    }
}

fn as_response(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Done(Reply::Event(reply)) => {
            Outcome::Done(Reply::Http(response_from_reply(reply), Tail::default()))
        }
        other => other,
    }
}
