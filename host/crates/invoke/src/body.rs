//! Streaming bodies, the same type from the socket to the guest and back.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use tokio::time::{Instant, timeout_at};
use wfh_event::{Failure, FailureClass};

/// A streaming body. Its error says why it broke off.
pub type Body = UnsyncBoxBody<Bytes, Failure>;

/// A body of no bytes.
#[must_use]
pub fn empty_body() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that is there at once.
pub fn bytes_body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Reads a whole body into memory.
///
/// # Errors
/// Class `TooLarge` beyond `bytes_max`; otherwise the body's own error.
pub async fn collect_body(body: Body, bytes_max: u64) -> Result<Bytes, Failure> {
    LimitedBody::new(body, bytes_max).collect().await.map(http_body_util::Collected::to_bytes)
}

/// Reads a whole body, which must have come within `timeout` and before `deadline`.
///
/// # Errors
/// Class `Timeout` when it has not; otherwise those of [`collect_body`].
pub(crate) async fn collect_in_time(
    body: Body,
    bytes_max: u64,
    timeout: Duration,
    deadline: Option<Instant>,
) -> Result<Bytes, Failure> {
    let own = Instant::now() + timeout;
    let until = deadline.map_or(own, |callers| callers.min(own));
    let read = timeout_at(until, collect_body(body, bytes_max)).await;
    read.unwrap_or_else(|_| {
        let detail = format!("the body did not come within {timeout:?}");
        Err(Failure::new(FailureClass::Timeout, detail))
    })
}

/// A body that ends with class `TooLarge` once more than `bytes_max` bytes have come.
pub struct LimitedBody {
    inner: Body,
    bytes_left: u64,
    bytes_max: u64,
    exceeded: Arc<AtomicBool>,
}

impl LimitedBody {
    /// Bounds `inner`.
    #[must_use]
    pub fn new(inner: Body, bytes_max: u64) -> Self {
        Self { inner, bytes_left: bytes_max, bytes_max, exceeded: Arc::default() }
    }

    /// Tells, later, whether the limit was exceeded.
    #[must_use]
    pub fn exceeded(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.exceeded)
    }

    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Failure> {
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => {
                self.bytes_left = left;
                Ok(frame)
            }
            None => {
                self.inner = empty_body();
                self.exceeded.store(true, Ordering::Relaxed);
                Err(too_large(self.bytes_max))
            }
        }
    }
}

/// The failure of a payload over its limit.
pub(crate) fn too_large(bytes_max: u64) -> Failure {
    Failure::new(FailureClass::TooLarge, format!("the body is larger than {bytes_max} bytes"))
}

impl HttpBody for LimitedBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Pin::new(&mut self.inner)
            .poll_frame(cx)
            .map(|next| next.map(|frame| frame.and_then(|frame| self.count(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_within_its_limit_passes_and_one_byte_more_does_not() {
        let within = collect_body(bytes_body("12345"), 5).await;
        assert_eq!(within.unwrap(), "12345");
        let beyond = collect_body(bytes_body("123456"), 5).await;
        assert_eq!(beyond.unwrap_err().class, FailureClass::TooLarge);
    }
}
