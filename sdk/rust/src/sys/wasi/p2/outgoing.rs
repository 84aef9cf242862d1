//! Responses and bodies that go out.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Body as HttpBody;
use wasip2::http::types::{ErrorCode, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::{OutputStream, StreamError};

use super::headers::to_fields;
use super::reactor::Wait;
use crate::{Body, BodyError, Error, IntoResponse};

/// Hands over the head, then sends the body.
pub(super) async fn respond(out: ResponseOutparam, response: Response<Body>) {
    let (outgoing, body) = match head(response) {
        Ok(ready) => ready,
        Err(problem) => match head(Error::internal(problem).into_response()) {
            Ok(ready) => ready,
            Err(_) => return ResponseOutparam::set(out, Err(ErrorCode::InternalError(None))),
        },
    };
    let sink = outgoing.body();
    ResponseOutparam::set(out, Ok(outgoing));
    let Ok(sink) = sink else { return };
    if let Err(Broken::Body(error)) = send(body, sink).await {
        tracing::error!(target: "wfh", error = %error, "the response's body broke off");
    }
}

fn head(response: Response<Body>) -> Result<(OutgoingResponse, Body), String> {
    let (parts, body) = response.into_parts();
    let headers = to_fields(&parts.headers)
        .map_err(|error| format!("a header of the response is not allowed: {error}"))?;
    let outgoing = OutgoingResponse::new(headers);
    outgoing
        .set_status_code(parts.status.as_u16())
        .map_err(|()| format!("{} is no status to answer with", parts.status.as_u16()))?;
    Ok((outgoing, body))
}

/// Why a body did not go out whole.
pub(super) enum Broken {
    /// Nobody takes it any more.
    Sink,
    /// It broke off by itself.
    Body(BodyError),
}

/// Sends a body. One that breaks off is left unfinished, which the other side sees.
pub(super) async fn send(mut body: Body, sink: OutgoingBody) -> Result<(), Broken> {
    let mut trailers = None;
    let stream = sink.write().map_err(|()| Broken::Sink)?;
    let mut writer = Writer { wait: None, stream };
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        match frame.map_err(Broken::Body)?.into_data() {
            Ok(data) => writer.write(data).await?,
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    writer.flush().await?;
    drop(writer);
    let trailers = trailers.as_ref().map(fields).transpose()?;
    OutgoingBody::finish(sink, trailers).map_err(|_| Broken::Sink)
}

fn fields(trailers: &HeaderMap) -> Result<wasip2::http::types::Fields, Broken> {
    to_fields(trailers).map_err(|error| Broken::Body(BodyError::new(error.to_string())))
}

/// The fields are dropped in this order: the pollable before its stream.
struct Writer {
    wait: Option<Wait>,
    stream: OutputStream,
}

impl Writer {
    async fn write(&mut self, mut data: Bytes) -> Result<(), Broken> {
        while !data.is_empty() {
            let room = usize::try_from(self.room().await?).unwrap_or(usize::MAX);
            let piece = data.split_to(room.min(data.len()));
            self.stream.write(&piece).map_err(gone)?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        self.stream.flush().map_err(gone)?;
        // While a flush is going on there is no room.
        self.room().await.map(drop)
    }

    /// How many bytes the stream takes now; at least one.
    async fn room(&mut self) -> Result<u64, Broken> {
        loop {
            match self.stream.check_write().map_err(gone)? {
                0 => {
                    let wait = self.wait.get_or_insert_with(|| Wait::new(self.stream.subscribe()));
                    poll_fn(|cx| wait.poll_ready(cx)).await;
                }
                room => return Ok(room),
            }
        }
    }
}

fn gone(_: StreamError) -> Broken {
    Broken::Sink
}
