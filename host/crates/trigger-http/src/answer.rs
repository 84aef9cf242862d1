//! From an outcome to bytes, and what is held until the last of them is out.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, Entry};
use http::{HeaderName, HeaderValue, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use wfh_event::{Failure, FailureClass, InvocationId};
use wfh_invoke::{Body, Outcome, Reply, ReplyBody, Tail, response_from_reply};

use crate::problem::from_failure;
use crate::served::Served;
use crate::watch::{InFlight, Watch};

pub(crate) const INVOCATION_ID: HeaderName = HeaderName::from_static("wfh-invocation-id");
/// Says that an answer is that of an earlier, equal call.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The body hyper writes.
pub(crate) struct Answer {
    body: ReplyBody,
    /// Why it broke off, kept until what came before is out.
    broken: Option<Failure>,
    _in_flight: InFlight,
    _served: Served,
}

/// Makes the response to one request.
pub(crate) fn answer(
    id: InvocationId,
    outcome: Result<Outcome, Response<Body>>,
    watch: &Watch,
    (in_flight, mut served): (InFlight, Served),
) -> Response<Answer> {
    let (response, mut tail) = match outcome {
        Ok(outcome) => response(id, outcome),
        Err(refused) => (refused, Tail::default()),
    };
    if let Some(deadline) = tail.deadline() {
        let watch = watch.clone();
        watch.answer(id, deadline);
        tail.on_end(move |_| watch.answered(id));
    }
    served.status = response.status().as_u16();
    let mut response = response.map(|body| Answer {
        body: ReplyBody::new(body, tail),
        broken: None,
        _in_flight: in_flight,
        _served: served,
    });
    if watch.says_close() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Entry::Vacant(absent) = response.headers_mut().entry(INVOCATION_ID)
        && let Ok(value) = HeaderValue::from_str(&id.to_string())
    {
        absent.insert(value);
    }
    response
}

fn response(id: InvocationId, outcome: Outcome) -> (Response<Body>, Tail) {
    match outcome {
        Outcome::Done(Reply::Http(response, tail)) => (response, tail),
        Outcome::Done(Reply::Event(reply)) => (response_from_reply(reply), Tail::default()),
        Outcome::Failed(failure) => (from_failure(&failure, id), Tail::default()),
        Outcome::Deferred { after, .. } => {
            let failure = Failure::new(FailureClass::Unavailable, "the call was put off");
            (from_failure(&failure.with_retry_after(after), id), Tail::default())
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if let Some(failure) = self.broken.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        let next = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Err(failure))) = next {
            // hyper drops what it has not written when a body fails; one turn lets it write.
            self.broken = Some(failure);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        next
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
