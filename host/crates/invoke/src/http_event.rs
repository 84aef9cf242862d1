//! An event to an HTTP function and back: a request in CloudEvents binary mode, or the request that
//! the event was; its answer as the outcome of the event.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use wfh_event::{Event, Failure, FailureClass, FunctionName};
use wfh_telemetry::TraceContext;

use crate::{
    Body, EventReply, HttpOrigin, Item, bytes_body, collect_body, empty_body, header_text,
};

const ATTEMPT: HeaderName = HeaderName::from_static("wfh-attempt");
const EVENT_KEY: HeaderName = HeaderName::from_static("wfh-event-key");

/// The request by which `function` receives the event of an item.
///
/// # Errors
/// Class `Invalid` when a path or an attribute cannot stand in a request.
pub fn request_from_item(
    item: Item,
    function: &FunctionName,
    trace: &TraceContext,
) -> Result<Request<Body>, Failure> {
    let Item { mut event, attempt, event_key, path, http, .. } = item;
    let data = event.data.take();
    let origin = match http {
        Some(origin) => *origin,
        None => binary_mode(&event, path.as_deref().unwrap_or("/"))?,
    };
    let HttpOrigin { method, uri, mut headers } = origin;
    headers.insert(ATTEMPT, attempt.into());
    headers.insert(EVENT_KEY, header(&event_key)?);
    headers.remove(CONTENT_LENGTH);
    trace.write_to(&mut headers);
    if let Some(data) = &data {
        headers.insert(CONTENT_LENGTH, data.len().into());
    }
    let mut request = Request::new(data.map_or_else(empty_body, bytes_body));
    *request.uri_mut() = absolute(uri, &headers, function)?;
    (*request.method_mut(), *request.headers_mut()) = (method, headers);
    Ok(request)
}

fn binary_mode(event: &Event, path: &str) -> Result<HttpOrigin, Failure> {
    let uri: Uri = path.parse().map_err(|error| invalid(&format!("the path {path:?}: {error}")))?;
    let mut headers = HeaderMap::new();
    for (name, value) in event.attributes() {
        let name = HeaderName::try_from(format!("ce-{name}"));
        let name = name.map_err(|error| invalid(&error.to_string()))?;
        headers.insert(name, header(&header_text::encode(value))?);
    }
    if let Some(content_type) = &event.datacontenttype {
        headers.insert(CONTENT_TYPE, header(content_type)?);
    }
    Ok(HttpOrigin { method: Method::POST, uri, headers })
}

/// Guests expect a whole URI. A request without a host is for `NAME.wfh.internal`.
fn absolute(uri: Uri, headers: &HeaderMap, function: &FunctionName) -> Result<Uri, Failure> {
    let mut parts = uri.into_parts();
    parts.scheme.get_or_insert(Scheme::HTTP);
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    if parts.authority.is_none() {
        let host = headers.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let own = || Authority::try_from(format!("{function}.wfh.internal"));
        let authority = host.map_or_else(own, Ok);
        parts.authority = Some(authority.map_err(|error| invalid(&error.to_string()))?);
    }
    Uri::from_parts(parts).map_err(|error| invalid(&error.to_string()))
}

fn header(text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(text)
        .map_err(|_| invalid(&format!("{text:?} cannot be the value of a header")))
}

fn invalid(detail: &str) -> Failure {
    Failure::new(FailureClass::Invalid, detail)
}

/// What the answer of an HTTP function says about the event it was given: 2xx is success, 408, 425,
/// 429 and 5xx ask for another attempt, anything else rejects it.
///
/// # Errors
/// Class `Guest` or `Rejected` by the status; otherwise why the answer broke off.
pub async fn reply_from_response(
    response: Response<Body>,
    bytes_max: u64,
) -> Result<EventReply, Failure> {
    let (parts, body) = response.into_parts();
    let status = parts.status;
    if status.is_success() {
        let data = collect_body(body, bytes_max).await?;
        let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        return Ok(EventReply {
            datacontenttype: content_type.map(str::to_owned),
            data: (!data.is_empty()).then_some(data),
            ..EventReply::default()
        });
    }
    let detail = format!("the function answered {status}");
    if !is_retried(status) {
        return Err(Failure::new(FailureClass::Rejected, detail));
    }
    let failure = Failure::new(FailureClass::Guest, detail);
    Err(match retry_after(&parts.headers, SystemTime::now()) {
        Some(after) => failure.with_retry_after(after),
        None => failure,
    })
}

/// Whether an HTTP function's answer of this status asks for another try.
pub(crate) fn is_retried(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500..=599)
}

/// Seconds, or a date; one that has passed is now.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests;
