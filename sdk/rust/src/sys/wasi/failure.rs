//! What both versions of WASI share in outgoing calls, for their own `ErrorCode`: compiled once with each.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method};
use http_body::Body as _;

use super::ErrorCode;
use crate::Body;
use crate::client::{Error, ErrorKind};

/// A body whose size is known is announced with it: not every server takes chunks.
pub(super) fn with_length(mut headers: HeaderMap, method: &Method, body: &Body) -> HeaderMap {
    if let (Some(bytes), false) = (body.size_hint().exact(), headers.contains_key(CONTENT_LENGTH)) {
        // Of these an empty body has a length, too.
        if bytes > 0 || matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
            headers.insert(CONTENT_LENGTH, bytes.into());
        }
    }
    headers
}

pub(super) fn failed(code: ErrorCode) -> Error {
    let kind = match &code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => ErrorKind::Denied,
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => ErrorKind::Timeout,
        ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused => ErrorKind::Unreachable,
        ErrorCode::ConnectionLimitReached => ErrorKind::Busy,
        ErrorCode::HttpRequestLengthRequired
        | ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_)
        | ErrorCode::LoopDetected => ErrorKind::Invalid,
        // A connection that broke, an answer that is none: all that remains.
        _ => ErrorKind::Broken,
    };
    Error::new(kind, code.to_string())
}
