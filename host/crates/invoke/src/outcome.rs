//! What comes back up the layers.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use wfh_event::{Failure, FailureClass};

use crate::{Body, Outgoing};

/// How one item ended.
pub enum Outcome {
    /// The guest answered.
    Done(Reply),
    /// It failed.
    Failed(Failure),
    /// It runs later: the source keeps or parks the event until then.
    Deferred {
        /// How long from now.
        after: Duration,
        /// The attempt that will run then.
        attempt: u32,
    },
}

/// What a guest answered.
pub enum Reply {
    /// A streaming HTTP answer. The call lasts until `tail` ends.
    Http(Response<Body>, Tail),
    /// The answer of an event function.
    Event(EventReply),
}

/// The answer of an event function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventReply {
    /// The media type of `data`.
    pub datacontenttype: Option<String>,
    /// The payload.
    pub data: Option<Bytes>,
    /// Attributes for destinations, by name.
    pub attributes: Vec<(String, String)>,
    /// Events that become durable together with this success, or not at all. Their ids follow from
    /// the event that caused them, so that another attempt emits the same events.
    pub emit: Vec<Outgoing>,
}

/// How a streaming answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The last byte is out.
    Complete,
    /// It broke off.
    Failed(FailureClass),
    /// The reader went away.
    Dropped,
}

type OnEnd = Box<dyn FnOnce(&End) + Send>;

/// The part of a call that follows its headers: layers hang here what they hold until the last
/// byte is out, and the deadline that cuts the answer off.
#[derive(Default)]
pub struct Tail {
    deadline: Option<Instant>,
    on_end: Vec<OnEnd>,
}

impl Tail {
    /// Runs `action` once when the answer ends, whichever way, also when the tail is dropped.
    pub fn on_end(&mut self, action: impl FnOnce(&End) + Send + 'static) {
        self.on_end.push(Box::new(action));
    }

    /// Keeps `held` until the answer ends.
    pub fn hold(&mut self, held: impl Send + 'static) {
        self.on_end(move |_| drop(held));
    }

    /// When the answer is cut off.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Cuts the answer off at `deadline`, if no earlier one is set.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
    }

    fn end(&mut self, end: &End) {
        for action in self.on_end.drain(..) {
            action(end);
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.end(&End::Dropped);
    }
}

/// A guest's body joined with its tail: what the caller finally reads.
pub struct ReplyBody {
    body: Body,
    tail: Tail,
    timer: Option<Pin<Box<Sleep>>>,
}

impl ReplyBody {
    /// Joins the two.
    #[must_use]
    pub fn new(body: Body, mut tail: Tail) -> Self {
        if body.is_end_stream() {
            tail.end(&End::Complete);
        }
        Self { body, tail, timer: None }
    }

    /// Whether the deadline has passed; makes sure the task is woken when it does.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.tail.deadline else {
            return false;
        };
        self.timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)))
            .as_mut()
            .poll(cx)
            .is_ready()
    }

    fn fail(&mut self, failure: Failure) -> Failure {
        self.body = crate::empty_body();
        self.tail.end(&End::Failed(failure.class));
        failure
    }
}

impl HttpBody for ReplyBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if self.tail.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                    return Poll::Ready(Some(Err(self.fail(past_deadline()))));
                }
                if self.body.is_end_stream() {
                    self.tail.end(&End::Complete);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(failure))) => Poll::Ready(Some(Err(self.fail(failure)))),
            Poll::Ready(None) => {
                self.tail.end(&End::Complete);
                Poll::Ready(None)
            }
            Poll::Pending if self.poll_deadline(cx) => {
                Poll::Ready(Some(Err(self.fail(past_deadline()))))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn past_deadline() -> Failure {
    Failure::new(FailureClass::Timeout, "the deadline passed before the last byte was out")
}

#[cfg(test)]
mod tests;
