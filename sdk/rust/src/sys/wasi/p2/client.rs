//! Outgoing calls.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    self as wasi, FutureIncomingResponse, IncomingResponse, OutgoingRequest, RequestOptions, Scheme,
};

use super::failure::{failed, with_length};
use super::headers::{from_fields, to_fields};
use super::reactor::Wait;
use super::{incoming, outgoing};
use crate::client::{Error, ErrorKind, Timeouts};
use crate::{Body, BodyError};

pub(crate) async fn send(
    request: Request<Body>,
    timeouts: Timeouts,
) -> Result<Response<Body>, Error> {
    let (parts, body) = request.into_parts();
    let outgoing = head(parts, &body)?;
    let sink = outgoing.body().map_err(|()| invalid("the request has no body"))?;
    let future = outgoing_handler::handle(outgoing, options(timeouts)?).map_err(failed)?;
    let mut upload = Upload(Some(Box::pin(async {
        // If the body does not get through, the answer says so.
        let _ = outgoing::send(body, sink).await;
    })));
    let response = Pending { wait: Wait::new(future.subscribe()), future };
    let response = poll_fn(|cx| {
        upload.poll(cx);
        response.poll(cx)
    })
    .await?;
    answer(&response, upload)
}

fn head(parts: Parts, body: &Body) -> Result<OutgoingRequest, Error> {
    let headers = with_length(parts.headers, &parts.method, body);
    let fields = to_fields(&headers).map_err(|error| invalid(format!("a header: {error}")))?;
    let outgoing = OutgoingRequest::new(fields);
    let scheme = match parts.uri.scheme_str() {
        Some("https") => Scheme::Https,
        Some("http") | None => Scheme::Http,
        Some(other) => Scheme::Other(other.to_owned()),
    };
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let path = parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str);
    let aimed = outgoing
        .set_method(&method(&parts.method))
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(authority))
        .and_then(|()| outgoing.set_path_with_query(path));
    aimed.map_err(|()| invalid(format!("{} {}", parts.method, parts.uri)))?;
    Ok(outgoing)
}

fn method(method: &Method) -> wasi::Method {
    match method.as_str() {
        "GET" => wasi::Method::Get,
        "HEAD" => wasi::Method::Head,
        "POST" => wasi::Method::Post,
        "PUT" => wasi::Method::Put,
        "DELETE" => wasi::Method::Delete,
        "CONNECT" => wasi::Method::Connect,
        "OPTIONS" => wasi::Method::Options,
        "TRACE" => wasi::Method::Trace,
        "PATCH" => wasi::Method::Patch,
        other => wasi::Method::Other(other.to_owned()),
    }
}

fn options(timeouts: Timeouts) -> Result<Option<RequestOptions>, Error> {
    if timeouts == Timeouts::default() {
        return Ok(None);
    }
    let options = RequestOptions::new();
    let nanoseconds = |timeout: Duration| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let set = options
        .set_connect_timeout(timeouts.connect.map(nanoseconds))
        .and_then(|()| options.set_first_byte_timeout(timeouts.first_byte.map(nanoseconds)))
        .and_then(|()| options.set_between_bytes_timeout(timeouts.between_bytes.map(nanoseconds)));
    set.map_err(|()| invalid("the host does not take these timeouts"))?;
    Ok(Some(options))
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, detail)
}

/// The fields are dropped in this order: the pollable before its future.
struct Pending {
    wait: Wait,
    future: FutureIncomingResponse,
}

impl Pending {
    fn poll(&self, cx: &Context<'_>) -> Poll<Result<IncomingResponse, Error>> {
        ready!(self.wait.poll_ready(cx));
        let response = match self.future.get() {
            Some(Ok(response)) => response.map_err(failed),
            Some(Err(())) | None => Err(Error::new(ErrorKind::Broken, "the answer was lost")),
        };
        Poll::Ready(response)
    }
}

fn answer(response: &IncomingResponse, upload: Upload) -> Result<Response<Body>, Error> {
    let status = StatusCode::from_u16(response.status()).map_err(|_| {
        Error::new(ErrorKind::Broken, format!("{} is no status", response.status()))
    })?;
    let body = response.consume().map_or_else(|()| Body::empty(), incoming::body);
    let body = match upload {
        Upload(None) => body,
        upload @ Upload(Some(_)) => Body::stream(Duplex { upload, body }),
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = from_fields(&response.headers());
    Ok(answer)
}

/// The request's body on its way out; nothing once it is out.
struct Upload(Option<Pin<Box<dyn Future<Output = ()>>>>);

impl Upload {
    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(upload) = &mut self.0 {
            if upload.as_mut().poll(cx).is_ready() {
                self.0 = None;
            }
        }
    }
}

/// An answer that came before the request's body was out.
struct Duplex {
    upload: Upload,
    body: Body,
}

impl HttpBody for Duplex {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.upload.poll(cx);
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
