//! Requests and bodies that come in.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use http_body::{Body as HttpBody, Frame};
use wasip2::http::types::{self as wasi, FutureTrailers, IncomingBody, IncomingRequest, Scheme};
use wasip2::io::streams::{InputStream, StreamError};

use super::headers::from_fields;
use super::reactor::Wait;
use crate::{Body, BodyError};

/// The most that one read may bring.
const READ_BYTES_MAX: u64 = 64 * 1024;

/// The request as the `http` crate has it.
pub(super) fn request(incoming: &IncomingRequest) -> Option<Request<Body>> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method(&incoming.method())?;
    *request.uri_mut() = uri(incoming)?;
    *request.headers_mut() = from_fields(&incoming.headers());
    *request.body_mut() = incoming.consume().map_or_else(|()| Body::empty(), body);
    Some(request)
}

fn method(method: &wasi::Method) -> Option<Method> {
    Some(match method {
        wasi::Method::Get => Method::GET,
        wasi::Method::Head => Method::HEAD,
        wasi::Method::Post => Method::POST,
        wasi::Method::Put => Method::PUT,
        wasi::Method::Delete => Method::DELETE,
        wasi::Method::Connect => Method::CONNECT,
        wasi::Method::Options => Method::OPTIONS,
        wasi::Method::Trace => Method::TRACE,
        wasi::Method::Patch => Method::PATCH,
        wasi::Method::Other(other) => Method::from_bytes(other.as_bytes()).ok()?,
    })
}

fn uri(incoming: &IncomingRequest) -> Option<Uri> {
    let path = incoming.path_with_query().unwrap_or_else(|| "/".to_owned());
    let (scheme, authority) = (incoming.scheme(), incoming.authority());
    let (Some(scheme), Some(authority)) = (scheme, authority) else {
        return Uri::try_from(path).ok();
    };
    let scheme = match &scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
        Scheme::Other(other) => other,
    };
    Uri::try_from([scheme, "://", &authority, &path].concat()).ok()
}

/// A body that is read as it arrives.
pub(super) fn body(body: IncomingBody) -> Body {
    match body.stream() {
        Ok(stream) => Body::stream(Incoming::Data(Data { wait: None, stream, body })),
        Err(()) => Body::empty(),
    }
}

/// First its data, then its trailers.
enum Incoming {
    Data(Data),
    Trailers(Trailers),
    End,
}

/// The fields are dropped in this order: children before what they belong to.
struct Data {
    wait: Option<Wait>,
    stream: InputStream,
    body: IncomingBody,
}

struct Trailers {
    wait: Wait,
    future: FutureTrailers,
}

type Next = Option<Result<Frame<Bytes>, BodyError>>;

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Next> {
        loop {
            match &mut *self {
                Self::End => return Poll::Ready(None),
                Self::Data(data) => match ready!(data.poll(cx)) {
                    Ok(Some(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                    Ok(None) => self.finish(),
                    Err(error) => return Poll::Ready(Some(self.broken(error))),
                },
                Self::Trailers(trailers) => {
                    ready!(trailers.wait.poll_ready(cx));
                    let trailers = trailers.take();
                    *self = Self::End;
                    return Poll::Ready(trailers.map(|trailers| trailers.map(Frame::trailers)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::End)
    }
}

impl Incoming {
    fn finish(&mut self) {
        if let Self::Data(Data { wait, stream, body }) = std::mem::replace(self, Self::End) {
            drop(wait);
            drop(stream);
            let future = IncomingBody::finish(body);
            *self = Self::Trailers(Trailers { wait: Wait::new(future.subscribe()), future });
        }
    }

    fn broken(&mut self, error: BodyError) -> Result<Frame<Bytes>, BodyError> {
        *self = Self::End;
        Err(error)
    }
}

impl Data {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        loop {
            match self.stream.read(READ_BYTES_MAX) {
                Ok(bytes) if !bytes.is_empty() => return Poll::Ready(Ok(Some(bytes.into()))),
                Ok(_) => {}
                Err(StreamError::Closed) => return Poll::Ready(Ok(None)),
                Err(StreamError::LastOperationFailed(error)) => {
                    return Poll::Ready(Err(BodyError::new(error.to_debug_string())));
                }
            }
            let wait = self.wait.get_or_insert_with(|| Wait::new(self.stream.subscribe()));
            ready!(wait.poll_ready(cx));
        }
    }
}

impl Trailers {
    fn take(&self) -> Option<Result<HeaderMap, BodyError>> {
        match self.future.get()? {
            Ok(Ok(Some(fields))) => Some(Ok(from_fields(&fields))),
            Ok(Ok(None)) | Err(()) => None,
            // Not the code's own text, which brings the names of all codes into every component.
            Ok(Err(_)) => Some(Err(BodyError::new("the body broke off"))),
        }
    }
}
