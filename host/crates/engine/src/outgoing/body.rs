//! Bodies of outgoing calls: bounded in time, and holding their permit.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::Permit;

/// Holds `permit` until the body is dropped.
pub(super) fn holding(body: WasiBody, permit: Permit) -> WasiBody {
    body.map_err(move |error| {
        let _ = &permit;
        error
    })
    .boxed_unsync()
}

/// A body whose pieces may be at most `between` apart.
pub(super) struct Paced<B> {
    inner: B,
    between: Duration,
    timer: Pin<Box<Sleep>>,
}

impl<B> Paced<B> {
    pub(super) fn new(inner: B, between: Duration) -> Self {
        Self { inner, between, timer: Box::pin(sleep(between)) }
    }
}

impl<B> Body for Paced<B>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(next) = Pin::new(&mut self.inner).poll_frame(cx) {
            let between = self.between;
            self.timer.as_mut().reset(Instant::now() + between);
            return Poll::Ready(next.map(|frame| frame.map_err(Error::from)));
        }
        self.timer.as_mut().poll(cx).map(|()| Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
