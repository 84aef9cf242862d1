//! HTTP to an event function and back: CloudEvents over HTTP, or a plain request as an event.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use wfh_event::{Event, EventError, EventId, Failure, FailureClass, InvocationId};

use crate::{Body, EventReply, Item, bytes_body, empty_body};

const BINARY_PREFIX: &str = "ce-";
/// Our own header, and what the guest sees as `event-key`.
const EVENT_KEY: &str = "wfh-event-key";

/// Reads a request as an event: binary mode by its `ce-` headers, anything else becomes an event of
/// type `wfh.http.request` whose data is the body.
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
    let data = (!body.is_empty()).then(|| body.to_vec());
    let event = if parts.headers.contains_key("ce-specversion") {
        binary(&parts.headers, content_type, data).map_err(invalid)?
    } else {
        let mut event = Event::new(id.into(), &**route, "wfh.http.request");
        event.subject = Some(parts.uri.path().to_owned());
        event.datacontenttype = content_type;
        event.data = data;
        event
    };
    let event_key = text(&parts.headers, EVENT_KEY).unwrap_or_else(|| event_key(&event));
    let attributes = vec![
        ("route".to_owned(), route.to_string()),
        ("method".to_owned(), parts.method.to_string()),
    ];
    let headers = raw_headers(&parts.headers);
    Ok(Item {
        event,
        attempt: 1,
        event_key,
        key: None,
        headers,
        attributes,
    })
}

fn binary(
    headers: &HeaderMap,
    content_type: Option<String>,
    data: Option<Vec<u8>>,
) -> Result<Event, EventError> {
    let attributes = headers.iter().filter_map(|(name, value)| {
        Some((
            name.as_str().strip_prefix(BINARY_PREFIX)?,
            value.to_str().ok()?,
        ))
    });
    Event::from_attributes(attributes, content_type, data)
}

fn event_key(event: &Event) -> String {
    let id: &EventId = &event.id;
    format!("{}#{id}", event.source)
}

fn invalid(error: EventError) -> Failure {
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
    let Some(data) = reply.data else {
        let mut response = Response::new(empty_body());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    };
    let mut response = Response::new(bytes_body(data));
    let content_type = reply
        .datacontenttype
        .and_then(|text| HeaderValue::from_str(&text).ok());
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
            (
                event.r#type.as_str(),
                event.source.as_str(),
                event.subject.as_deref()
            ),
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
    fn no_data_is_204_and_data_is_200() {
        assert_eq!(
            response_from_reply(EventReply::default()).status(),
            StatusCode::NO_CONTENT
        );
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
