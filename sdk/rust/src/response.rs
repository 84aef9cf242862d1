//! What an HTTP handler may answer with.

use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use serde::Serialize;

use crate::error::Class;
use crate::{Body, Error};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What becomes a response.
///
/// ```
/// use wfh::{Body, IntoResponse, Json, Request, Result};
///
/// async fn handle(_request: Request<Body>) -> Result<Json<[u32; 2]>> {
///     Ok(Json([1, 2]))
/// }
/// # assert_eq!("text".into_response().headers()["content-type"], "text/plain; charset=utf-8");
/// ```
pub trait IntoResponse {
    /// Makes the response.
    ///
    /// ```
    /// use wfh::IntoResponse as _;
    /// assert_eq!("hello".into_response().status(), 200);
    /// ```
    fn into_response(self) -> Response<Body>;
}

impl<B: Into<Body>> IntoResponse for Response<B> {
    fn into_response(self) -> Response<Body> {
        self.map(Into::into)
    }
}

impl IntoResponse for &'static str {
    fn into_response(self) -> Response<Body> {
        text(StatusCode::OK, self.into())
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response<Body> {
        text(StatusCode::OK, self.into())
    }
}

impl IntoResponse for StatusCode {
    fn into_response(self) -> Response<Body> {
        with_status(self, Body::empty())
    }
}

/// An answer in JSON, with its content type.
///
/// ```
/// use wfh::{IntoResponse as _, Json};
///
/// let response = Json(["a", "b"]).into_response();
/// assert_eq!(response.headers()["content-type"], "application/json");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(
    /// What is written as JSON.
    pub T,
);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response<Body> {
        match Body::json(&self.0) {
            Ok(body) => {
                let mut response = Response::new(body);
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(CONTENT_TYPE, json);
                response
            }
            Err(error) => Error::from(error).into_response(),
        }
    }
}

impl<T: IntoResponse, E: Into<Error>> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response<Body> {
        match self {
            Ok(response) => response.into_response(),
            Err(error) => error.into().into_response(),
        }
    }
}

/// The reason of a failure is logged; the caller sees it only where its class is meant for callers.
impl IntoResponse for Error {
    fn into_response(self) -> Response<Body> {
        match self.class() {
            Class::Internal => {
                tracing::error!(target: "wfh", error = self.reason(), "the handler failed");
                text(StatusCode::INTERNAL_SERVER_ERROR, "the function failed\n".into())
            }
            Class::Later(after) => {
                tracing::warn!(target: "wfh", reason = self.reason(), "the handler asks for a retry");
                later(after)
            }
            Class::Rejected => text(StatusCode::UNPROCESSABLE_ENTITY, line(&self)),
            Class::Status(status) => text(status, line(&self)),
        }
    }
}

fn later(after: Duration) -> Response<Body> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "try again later\n".into());
    // Whole seconds, rounded up: earlier would be too early.
    let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0));
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

fn line(error: &Error) -> Body {
    format!("{}\n", error.reason()).into()
}

fn text(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = with_status(status, body);
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

fn with_status(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// Calls a handler of requests.
pub(crate) async fn call<H, F>(handler: H, request: Request<Body>) -> Response<Body>
where
    H: FnOnce(Request<Body>) -> F,
    F: Future<Output: IntoResponse>,
{
    handler(request).await.into_response()
}
