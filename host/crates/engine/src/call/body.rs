//! The body of a guest's answer: ends cleanly only if the guest ended it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Response, header::CONTENT_LENGTH};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use wasmtime_wasi_http::WasiBody;
use wfh_event::{Failure, FailureClass};
use wfh_invoke::{Body, Outcome, Reply, Tail, bytes_body, empty_body};

use crate::running::Call;

/// Wraps a guest's answer for its caller.
pub(crate) fn reply(response: Response<WasiBody>, call: Arc<Call>) -> Reply {
    let (parts, inner) = response.into_parts();
    let bytes_left = content_length(&parts.headers);
    let body = GuestBody { inner, call, bytes_left, ended: false };
    Reply::Http(Response::from_parts(parts, body.boxed_unsync()), Tail::default())
}

/// Takes what a guest that has ended left in its body, so that the answer has a length.
pub(crate) fn in_one_piece(outcomes: Vec<Outcome>) -> Vec<Outcome> {
    outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Outcome::Done(Reply::Http(response, tail)) => {
                Outcome::Done(Reply::Http(response.map(gather), tail))
            }
            other => other,
        })
        .collect()
}

/// Reads what is there, so that a body of one piece is known to be one.
fn gather(mut body: Body) -> Body {
    let mut context = Context::from_waker(Waker::noop());
    let mut read = VecDeque::new();
    loop {
        match Pin::new(&mut body).poll_frame(&mut context) {
            Poll::Ready(Some(frame)) => read.push_back(frame),
            Poll::Ready(None) => break,
            Poll::Pending => return ReadAhead { read, rest: body }.boxed_unsync(),
        }
    }
    match read.pop_front() {
        None => empty_body(),
        Some(Ok(only)) if read.is_empty() && only.is_data() => {
            bytes_body(only.into_data().unwrap_or_default())
        }
        Some(first) => {
            read.push_front(first);
            ReadAhead { read, rest: empty_body() }.boxed_unsync()
        }
    }
}

/// A body of which some was read already.
struct ReadAhead {
    read: VecDeque<Result<Frame<Bytes>, Failure>>,
    rest: Body,
}

impl HttpBody for ReadAhead {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match self.read.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Dropped before its end, it cancels the guest that writes it.
struct GuestBody {
    inner: WasiBody,
    call: Arc<Call>,
    /// What the guest announced and has not sent yet.
    bytes_left: Option<u64>,
    ended: bool,
}

impl GuestBody {
    fn count(&mut self, frame: &Frame<Bytes>) {
        if let (Some(left), Some(data)) = (&mut self.bytes_left, frame.data_ref()) {
            *left = left.saturating_sub(data.len() as u64);
        }
        self.ended |= frame.is_trailers() || self.bytes_left == Some(0);
    }

    /// A store that is dropped closes the body like a guest that is done. Only the call knows which
    /// it was.
    fn end(&mut self) -> Option<Result<Frame<Bytes>, Failure>> {
        self.ended = true;
        self.call.failure().map(Err)
    }
}

impl HttpBody for GuestBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Pin::new(&mut self.inner).poll_frame(cx).map(|next| match next {
            Some(Ok(frame)) => {
                self.count(&frame);
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                self.ended = true;
                let broken = || {
                    Failure::new(
                        FailureClass::Trap,
                        format!("the guest broke off its answer: {error}"),
                    )
                };
                Some(Err(self.call.failure().unwrap_or_else(broken)))
            }
            None => self.end(),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for GuestBody {
    fn drop(&mut self) {
        if !self.ended {
            self.call.cancel();
        }
    }
}
