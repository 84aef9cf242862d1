//! Errors as `application/problem+json` (RFC 9457). Nothing of the inside leaks.

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use wfh_event::{ErrorCode, Failure, FailureClass, InvocationId};
use wfh_invoke::{Body, bytes_body};

use crate::answer::REPLAYED;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// An answer to a call that failed.
pub(crate) fn from_failure(failure: &Failure, id: InvocationId) -> Response<Body> {
    let detail = match failure.class {
        // Written by the guest for its caller.
        FailureClass::Rejected | FailureClass::Guest => Some(failure.detail.as_str()),
        // Ours, and about the caller's own request.
        FailureClass::Invalid | FailureClass::TooLarge | FailureClass::Mismatch => {
            Some(failure.detail.as_str())
        }
        FailureClass::Trap
        | FailureClass::Timeout
        | FailureClass::MemoryLimit
        | FailureClass::Conflict
        | FailureClass::Busy
        | FailureClass::Unavailable
        | FailureClass::Cancelled
        | FailureClass::Internal => None,
    };
    let mut response = problem(failure.class.http_status(), failure.class.code(), detail, id);
    if failure.replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    if let Some(after) = failure.retry_after {
        let seconds = after.as_secs_f64().ceil().max(1.0);
        if let Ok(value) = HeaderValue::from_str(&format!("{seconds:.0}")) {
            response.headers_mut().insert(RETRY_AFTER, value);
        }
    }
    response
}

/// An answer to a request that reached no function.
pub(crate) fn problem(
    status: u16,
    code: ErrorCode,
    detail: Option<&str>,
    id: InvocationId,
) -> Response<Body> {
    let mut document = serde_json::json!({
        "type": format!("https://wfh.dev/errors/{code}"),
        "title": code.title(),
        "status": status,
        "code": code.as_str(),
        "instance": id.to_string(),
    });
    if let (Some(detail), Some(document)) = (detail, document.as_object_mut()) {
        document.insert("detail".to_owned(), detail.into());
    }
    let mut response = Response::new(bytes_body(document.to_string()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, MEDIA_TYPE);
    response
}
