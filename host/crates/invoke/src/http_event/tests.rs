use bytes::Bytes;
use wfh_event::EventId;

use super::*;
use crate::event_from_request;

fn item() -> Item {
    let mut event = Event::new(EventId::new("1").unwrap(), "kafka://orders", "paid");
    event.subject = Some("né 7".to_owned());
    event.datacontenttype = Some("application/json".to_owned());
    event.extensions.insert("shard".to_owned(), "3".to_owned());
    event.data = Some(Bytes::from_static(b"{}"));
    Item { attempt: 2, ..Item::new(event, "kafka://orders#1".to_owned()) }
}

fn request(item: Item) -> Request<Body> {
    request_from_item(item, &"f".parse().unwrap(), &TraceContext::root()).unwrap()
}

#[tokio::test]
async fn an_event_is_posted_in_binary_mode_and_can_be_read_again() {
    let request = request(Item { path: Some("/in?x=1".into()), ..item() });
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "http://f.wfh.internal/in?x=1");
    let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("wfh-attempt"), header("ce-subject")), ("2".into(), "n%C3%A9%207".into()));
    assert_eq!(
        (header("content-type"), header("content-length")),
        ("application/json".into(), "2".into())
    );
    assert!(header("traceparent").starts_with("00-"));
    let (parts, body) = request.into_parts();
    let body = collect_body(body, 10).await.unwrap();
    let id = crate::new_invocation_id();
    let again = event_from_request(id, &"/in".into(), Request::from_parts(parts, body)).unwrap();
    assert_eq!(again.event, item().event, "an event does not survive binary mode");
    assert_eq!(again.event_key, item().event_key);
}

#[test]
fn without_a_path_it_is_the_root_and_a_bad_one_is_invalid() {
    assert_eq!(request(item()).uri(), "http://f.wfh.internal/");
    let bad = Item { path: Some("no path".into()), ..item() };
    let failure = request_from_item(bad, &"f".parse().unwrap(), &TraceContext::root());
    assert_eq!(failure.unwrap_err().class, FailureClass::Invalid);
}

#[test]
fn a_request_that_was_put_off_is_that_request_again() {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("shop.example"));
    headers.insert("ce-own", HeaderValue::from_static("as it was"));
    let origin = HttpOrigin { method: Method::PUT, uri: "/a/b?c".parse().unwrap(), headers };
    let request = request(Item { http: Some(Box::new(origin)), ..item() });
    assert_eq!(
        (request.method(), request.uri().to_string().as_str()),
        (&Method::PUT, "http://shop.example/a/b?c")
    );
    assert_eq!(request.headers()["ce-own"], "as it was");
    assert!(!request.headers().contains_key("ce-id"), "what the client did not send appears");
    assert_eq!(request.headers()["wfh-attempt"], "2");
}

async fn answered(status: u16, retry_after: Option<&str>) -> Result<EventReply, Failure> {
    let mut response = Response::builder().status(status).header("content-type", "text/plain");
    if let Some(value) = retry_after {
        response = response.header("retry-after", value);
    }
    reply_from_response(response.body(bytes_body("body")).unwrap(), 4).await
}

#[tokio::test]
async fn the_status_decides() {
    for status in [200, 201, 202, 299] {
        let reply = answered(status, None).await.unwrap();
        assert_eq!(reply.data.as_deref(), Some(&b"body"[..]));
        assert_eq!(reply.datacontenttype.as_deref(), Some("text/plain"));
    }
    for status in [408, 425, 429, 500, 502, 503, 599] {
        let failure = answered(status, Some("7")).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Guest, "{status}");
        assert_eq!(failure.retry_after, Some(Duration::from_secs(7)), "{status}");
    }
    for status in [301, 304, 400, 404, 422] {
        let failure = answered(status, None).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Rejected, "{status}");
        assert!(failure.detail.contains(&status.to_string()), "{failure}");
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    for (text, expected) in [
        ("0", Some(0)),
        ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
        ("soon", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
        assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text}");
    }
}

#[tokio::test]
async fn an_answer_larger_than_an_event_may_be_is_too_large() {
    let response = Response::new(bytes_body("12345"));
    let failure = reply_from_response(response, 4).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::TooLarge);
}
