//! HTTP to an event function and back: CloudEvents over HTTP, or a plain request as an event.

use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use wfh_event::{Event, EventError, Failure, FailureClass, InvocationId};

use wfh_telemetry::{BAGGAGE, TRACEPARENT, TRACESTATE};

use crate::durable::REPLAYED;
use crate::{Body, EventReply, HttpOrigin, Item, bytes_body, empty_body, event_key, header_text};

const BINARY_PREFIX: &str = "ce-";
/// Our own header, and what the guest sees as `event-key`.
const EVENT_KEY: &str = "wfh-event-key";

/// Reads a request as an event: binary mode by its `ce-` headers, structured mode by its content
/// type; anything else becomes an event of type `wfh.http.request` whose data is the body.
///
/// # Errors
/// Class `Invalid` when the request says that it is a CloudEvent and is not.
pub fn event_from_request(
    id: InvocationId,
    route: &Arc<str>,
    request: Request<Bytes>,
) -> Result<Item, Failure> {
    let (parts, body) = request.into_parts();
    let content_type = text(&parts.headers, CONTENT_TYPE.as_str());
    let data = (!body.is_empty()).then(|| body.clone());
    let event = if parts.headers.contains_key("ce-specversion") {
        binary(&parts.headers, content_type, data).map_err(|error| invalid(&error))?
    } else if content_type.as_deref().is_some_and(is_structured) {
        event_from_structured(&body)?
    } else {
        let mut event = Event::new(id.into(), &**route, "wfh.http.request");
        event.subject = Some(parts.uri.path().to_owned());
        event.datacontenttype = content_type;
        event.data = data;
        event
    };
    let event_key = text(&parts.headers, EVENT_KEY)
        .unwrap_or_else(|| event_key(&event.source, event.id.as_str()));
    let attributes = vec![
        ("route".to_owned(), route.to_string()),
        ("method".to_owned(), parts.method.to_string()),
    ];
    let headers = raw_headers(&parts.headers);
    Ok(Item { headers, attributes, ..Item::new(event, event_key) })
}

/// The event that a whole request is, with what the request was.
///
/// # Errors
/// Those of [`event_from_request`].
pub(crate) fn item_from_request(
    id: InvocationId,
    route: &Arc<str>,
    request: Request<Bytes>,
) -> Result<Item, Failure> {
    let origin = HttpOrigin {
        method: request.method().clone(),
        uri: request.uri().clone(),
        headers: request.headers().clone(),
    };
    let item = event_from_request(id, route, request)?;
    Ok(Item { http: Some(Box::new(origin)), ..item })
}

/// The same of a request to a function that takes requests: one that says it is a `CloudEvent` and is
/// not is a plain request.
pub(crate) fn item_of_any_request(
    id: InvocationId,
    route: &Arc<str>,
    request: Request<Bytes>,
) -> Item {
    let (head, body) = request.into_parts();
    let again = Request::from_parts(head.clone(), body.clone());
    item_from_request(id, route, again).unwrap_or_else(|_| {
        let mut request = Request::from_parts(head, body);
        for name in ["ce-specversion", CONTENT_TYPE.as_str()] {
            request.headers_mut().remove(name);
        }
        // Nothing of it claims to be an event any more, so nothing is refused.
        item_from_request(id, route, request).unwrap_or_else(|_| {
            Item::new(Event::new(id.into(), &**route, "wfh.http.request"), String::new())
        })
    })
}

/// The media type of a payload, in what streams carry beside it.
pub const STREAM_CONTENT_TYPE: &str = "content-type";
/// How many functions an event has come through, beside it in a stream.
pub const STREAM_HOPS: &str = "wfh-hops";

/// What a stream carries beside the payload of an event in binary mode: its attributes, whose names
/// begin with `prefix` there, its media type, its trace, and its hops. Leaving the host is one more of
/// them, so that a circle without a function ends as well.
#[must_use]
pub fn stream_attributes(prefix: &str, item: &Item, hops: u8) -> Vec<(String, String)> {
    let is_trace = |name: &str| [TRACEPARENT, TRACESTATE].iter().any(|known| known == name);
    // Where the record stands is said once, beside them.
    let attributes = item.event.attributes();
    let attributes = attributes.filter(|(name, _)| item.trace.is_none() || !is_trace(name));
    let mut all: Vec<(String, String)> =
        attributes.map(|(name, value)| (format!("{prefix}{name}"), value.to_owned())).collect();
    let content_type = item.event.datacontenttype.clone();
    all.extend(content_type.map(|text| (STREAM_CONTENT_TYPE.to_owned(), text)));
    if let Some(trace) = &item.trace {
        all.push((TRACEPARENT.to_string(), trace.to_string()));
        all.extend(trace.tracestate().map(|state| (TRACESTATE.to_string(), state.to_owned())));
        all.extend(trace.baggage().map(|baggage| (BAGGAGE.to_string(), baggage.to_owned())));
    }
    all.push((STREAM_HOPS.to_owned(), hops.saturating_add(1).to_string()));
    all
}

fn binary(
    headers: &HeaderMap,
    content_type: Option<String>,
    data: Option<Bytes>,
) -> Result<Event, EventError> {
    let attributes: Vec<(&str, String)> = headers
        .iter()
        .filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix(BINARY_PREFIX)?;
            Some((name, header_text::decode(value.to_str().ok()?)))
        })
        .collect();
    let pairs = attributes.iter().map(|(name, value)| (*name, value.as_str()));
    Event::from_attributes(pairs, content_type, data)
}

/// Whether a media type is that of a CloudEvent in structured mode, as JSON.
#[must_use]
pub fn is_structured(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/cloudevents+json")
}

/// Structured mode: one JSON object, with `data` as JSON or `data_base64` as bytes.
///
/// # Errors
/// Class `Invalid` when it is no event.
pub fn event_from_structured(body: &[u8]) -> Result<Event, Failure> {
    let mut document: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(body).map_err(|error| invalid(&error))?;
    let json = document.remove("data").filter(|data| !data.is_null());
    let data = match (json, document.remove("data_base64")) {
        (None, None) => None,
        (Some(serde_json::Value::String(text)), None) => Some(text.into()),
        (Some(data), None) => Some(data.to_string().into()),
        (None, Some(serde_json::Value::String(text))) => {
            let decoded = base64::prelude::BASE64_STANDARD.decode(text);
            Some(decoded.map_err(|error| invalid(&error))?.into())
        }
        _ => return Err(invalid(&"`data` and `data_base64` exclude each other")),
    };
    let attributes: Vec<(String, String)> = document
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| match value {
            serde_json::Value::String(text) => (name, text),
            other => (name, other.to_string()),
        })
        .collect();
    let pairs = attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Event::from_attributes(pairs, None, data).map_err(|error| invalid(&error))
}

fn invalid(error: &impl ToString) -> Failure {
    Failure::new(FailureClass::Invalid, error.to_string())
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn raw_headers(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}

/// The answer of an event function as HTTP: 200 with its content type, 204 without data.
#[must_use]
pub fn response_from_reply(reply: EventReply) -> Response<Body> {
    let replayed = reply.attributes.iter().any(|(name, _)| *name == REPLAYED.as_str());
    let is_empty = reply.data.is_none();
    let mut response = Response::new(reply.data.map_or_else(empty_body, bytes_body));
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    if is_empty {
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    }
    let content_type = reply.datacontenttype.and_then(|text| HeaderValue::from_str(&text).ok());
    if let Some(content_type) = content_type {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::new_invocation_id;

    fn read(request: Request<Bytes>) -> Result<Item, Failure> {
        event_from_request(new_invocation_id(), &"/orders/{id}".into(), request)
    }

    #[test]
    fn a_plain_request_becomes_an_event() {
        let request = Request::post("http://h/orders/7")
            .header("content-type", "application/json")
            .body(Bytes::from_static(b"{}"))
            .unwrap();
        let event = read(request).unwrap().event;
        assert_eq!(
            (event.r#type.as_str(), event.source.as_str(), event.subject.as_deref()),
            ("wfh.http.request", "/orders/{id}", Some("/orders/7"))
        );
        assert_eq!(event.datacontenttype.as_deref(), Some("application/json"));
        assert_eq!(event.data.as_deref(), Some(&b"{}"[..]));
    }

    #[test]
    fn binary_mode_is_that_event_and_a_broken_one_is_invalid() {
        let request = |id: &str| {
            Request::post("http://h/")
                .header("ce-specversion", "1.0")
                .header("ce-id", id)
                .header("ce-source", "/s")
                .header("ce-type", "t")
                .header("ce-shard", "3")
                .body(Bytes::new())
                .unwrap()
        };
        let event = read(request("42")).unwrap().event;
        assert_eq!((event.id.as_str(), event.data), ("42", None));
        assert_eq!(event.extensions.get("shard").map(String::as_str), Some("3"));
        assert_eq!(read(request("")).unwrap_err().class, FailureClass::Invalid);
    }

    #[test]
    fn structured_mode_is_that_event_with_its_data_in_either_form() {
        let request = |body: &'static str| {
            Request::post("http://h/")
                .header("content-type", "application/cloudevents+json; charset=utf-8")
                .body(Bytes::from_static(body.as_bytes()))
                .unwrap()
        };
        let json =
            r#"{"specversion":"1.0","id":"7","source":"/s","type":"t","n":3,"data":{"a":1}}"#;
        let event = read(request(json)).unwrap().event;
        assert_eq!((event.id.as_str(), event.data.as_deref()), ("7", Some(&br#"{"a":1}"#[..])));
        assert_eq!(event.extensions.get("n").map(String::as_str), Some("3"));
        let base64 =
            r#"{"specversion":"1.0","id":"7","source":"/s","type":"t","data_base64":"AP8="}"#;
        assert_eq!(read(request(base64)).unwrap().event.data, Some(Bytes::from_static(&[0, 255])));
        for broken in ["", "[]", r#"{"id":"7"}"#] {
            let failed = read(request(broken)).unwrap_err();
            assert_eq!(failed.class, FailureClass::Invalid, "{broken:?} was taken for an event");
        }
    }

    #[test]
    fn no_data_is_204_and_data_is_200() {
        assert_eq!(response_from_reply(EventReply::default()).status(), StatusCode::NO_CONTENT);
        let reply = EventReply {
            data: Some(Bytes::from_static(b"x")),
            datacontenttype: Some("text/plain".into()),
            ..EventReply::default()
        };
        let response = response_from_reply(reply);
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/plain");
    }
}
