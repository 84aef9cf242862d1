//! Errors as `application/problem+json` (RFC 9457). Callers are operators, so `detail` says why.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use wfh_event::{ErrorCode, Failure, InvocationId};

/// An answer that is an error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The page of the error.
    #[schema(value_type = String)]
    r#type: Box<str>,
    /// What `code` stands for.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The stable code, `WFH-nnnn`.
    code: &'static str,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    detail: Option<Box<str>>,
    /// The invocation that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    instance: Option<Box<str>>,
    /// The class of the failure of an invocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    #[serde(skip)]
    retry_after: Option<Duration>,
    #[serde(skip)]
    closes: bool,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: ErrorCode, detail: impl Into<String>) -> Self {
        let detail: String = detail.into();
        Self {
            r#type: format!("https://wfh.dev/errors/{code}").into(),
            title: code.title(),
            status: status.as_u16(),
            code: code.as_str(),
            detail: (!detail.is_empty()).then(|| detail.into()),
            instance: None,
            class: None,
            retry_after: None,
            closes: false,
        }
    }

    /// A parameter, header or cursor that is not acceptable.
    pub(crate) fn parameter(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::AdminParameter, detail)
    }

    /// A thing that is not there.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorCode::AdminNotFound, detail)
    }

    /// Something that this host does not keep.
    pub(crate) fn not_kept(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, ErrorCode::AdminNotOffered, detail)
    }

    /// The host itself failed.
    pub(crate) fn broken(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, detail)
    }

    /// More than a bound of the admin port lets through.
    pub(crate) fn too_many(detail: &str) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::AdminTooMany, detail);
        problem.retry_after(Duration::from_secs(1)).closing()
    }

    /// A page that wants to know who looks.
    pub(crate) fn sign_in() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::AdminToken, "sign in first")
    }

    /// Whether the token is missing.
    pub(crate) fn is_unauthorized(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED.as_u16()
    }

    /// A body beyond its bound; what is left of it is not read.
    pub(crate) fn too_large(bytes_max: u64) -> Self {
        let detail = format!("the body is larger than {bytes_max} bytes (admin.body_bytes_max)");
        let problem = Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge, detail);
        Self { closes: true, ..problem }
    }

    /// An invocation that failed.
    pub(crate) fn of_failure(failure: &Failure, id: InvocationId) -> Self {
        let status = StatusCode::from_u16(failure.class.http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut problem = Self::new(status, failure.class.code(), failure.detail.as_str());
        problem.instance = Some(id.to_string().into());
        problem.class = Some(failure.class.as_str());
        problem.retry_after = failure.retry_after;
        problem
    }

    /// The same problem, with the time after which another request makes sense.
    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The same problem; the connection closes after it.
    pub(crate) fn closing(mut self) -> Self {
        self.closes = true;
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}
