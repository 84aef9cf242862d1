//! The body of a guest's answer: ends cleanly only if the guest ended it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response, header::CONTENT_LENGTH};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use wasmtime_wasi_http::WasiBody;
use wfh_event::{Failure, FailureClass};
use wfh_invoke::{Reply, Tail};

use crate::running::Call;

/// Wraps a guest's answer for its caller.
pub(crate) fn reply(response: Response<WasiBody>, call: Arc<Call>) -> Reply {
    let (parts, inner) = response.into_parts();
    let bytes_left = content_length(&parts.headers);
    let body = GuestBody { inner, call, bytes_left, ended: false };
    Reply::Http(Response::from_parts(parts, body.boxed_unsync()), Tail::default())
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
