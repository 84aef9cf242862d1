//! Outgoing GET requests.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, OutgoingRequest, Scheme,
};

/// Sends a GET and does not wait for the answer: poll the future's pollable, or [`wait`] for it.
///
/// # Errors
/// When the URL is not one, or when the host does not allow the call.
pub fn get(url: &str, headers: &[(&str, &str)]) -> Result<FutureIncomingResponse, ErrorCode> {
    let fields = Fields::new();
    for (name, value) in headers {
        fields
            .append(name, value.as_bytes())
            .map_err(|error| ErrorCode::InternalError(Some(format!("{name}: {error:?}"))))?;
    }
    let request = OutgoingRequest::new(fields);
    aim(&request, url).ok_or(ErrorCode::HttpRequestUriInvalid)?;
    outgoing_handler::handle(request, None)
}

/// Waits for the answer's status and headers.
///
/// # Errors
/// When the call failed, or when the host does not allow it.
pub fn wait(future: &FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    future.subscribe().block();
    match future.get() {
        Some(Ok(result)) => result,
        Some(Err(())) => Err(ErrorCode::InternalError(Some("the answer was taken before".into()))),
        None => Err(ErrorCode::InternalError(Some("ready, yet not there".into()))),
    }
}

/// Splits `scheme://authority/path?query`.
fn aim(request: &OutgoingRequest, url: &str) -> Option<()> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let (authority, path) = match rest.find(['/', '?']) {
        Some(end) if rest[end..].starts_with('/') => (&rest[..end], rest[end..].to_owned()),
        Some(end) => (&rest[..end], format!("/{}", &rest[end..])),
        None => (rest, "/".to_owned()),
    };
    request.set_scheme(Some(&scheme)).ok()?;
    request.set_authority(Some(authority)).ok()?;
    request.set_path_with_query(Some(&path)).ok()
}
