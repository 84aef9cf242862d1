//! What the examples of the documentation do not show.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue};
use http_body::{Body as _, Frame};

use crate::client::ErrorKind;
use crate::test::{Delivery, Host};
use crate::{
    BatchReply, Body, Error, Event, Outgoing, Raw, Reject, Request, Response, Result, RetryAfter,
    StatusCode, client, publish, sleep, state,
};

fn internal() -> Error {
    Error::from(io::Error::other("disk 7 is full"))
}

#[test]
fn an_error_of_an_http_handler_shows_only_what_is_meant_for_callers() {
    let later = || RetryAfter::new(Duration::from_millis(1500), "the ledger is locked");
    for (error, status, body, logged) in [
        (internal(), 500, "the function failed\n", Some("disk 7 is full")),
        (later().into(), 503, "try again later\n", Some("the ledger is locked")),
        (Reject::new("no total").into(), 422, "no total\n", None),
        (Error::status(StatusCode::CONFLICT, "taken"), 409, "taken\n", None),
    ] {
        let host = Host::new();
        let handler = async move |_| -> Result<Response<Body>> { Err(error) };
        let response = host.request(handler, Request::new(()));
        assert_eq!(
            (response.status().as_u16(), response.body().as_ref()),
            (status, body.as_bytes())
        );
        let logs = host.logs();
        let found = logs.first().and_then(|line| line.field("error").or(line.field("reason")));
        assert_eq!(found, logged, "the reason of a {status} in {logs:?}");
    }
    let handler = async move |_| -> Result<&'static str> { Err(later().into()) };
    let response = Host::new().request(handler, Request::new(()));
    assert_eq!(response.headers()["retry-after"], "2", "1.5 s rounds up to whole seconds");
}

#[test]
fn what_an_error_means_for_an_event_follows_its_class() {
    for (error, rejected, after) in [
        (internal(), false, None),
        (Reject::new("no").into(), true, None),
        (RetryAfter::new(Duration::from_secs(3), "no").into(), false, Some(Duration::from_secs(3))),
        (Error::status(StatusCode::BAD_REQUEST, "no"), true, None),
        (Error::status(StatusCode::TOO_MANY_REQUESTS, "no"), false, None),
        (Error::status(StatusCode::BAD_GATEWAY, "no"), false, None),
    ] {
        let shown = format!("{error:?}");
        assert_eq!((error.is_rejection(), error.retry_after()), (rejected, after), "{shown}");
    }
}

#[test]
fn a_reason_names_its_causes_once() {
    #[derive(Debug)]
    struct Outer(io::Error, bool);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            if self.1 { write!(f, "saving: {}", self.0) } else { f.write_str("saving") }
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    for quotes in [false, true] {
        let error = Error::from(Outer(io::Error::other("disk full"), quotes));
        assert_eq!(error.reason(), "saving: disk full", "quotes its source: {quotes}");
    }
}

#[test]
fn a_payload_that_does_not_parse_is_rejected_with_the_reason() {
    #[derive(Debug, serde::Deserialize)]
    struct Order {
        total: u32,
    }
    async fn handle(order: Event<Order>) -> Result<u32> {
        Ok(order.total)
    }
    let host = Host::new();
    for (delivery, reason) in [
        (Delivery::json(r#"{"totals": 1}"#), "missing field `total`"),
        (Delivery::json(r#"{"total": 1"#), "EOF while parsing an object at line 1 column 11"),
        (Delivery::empty(), "there is no data"),
    ] {
        let error = host.event(handle, delivery).unwrap_err();
        assert!(error.is_rejection(), "{error} is retried, in vain");
        let expected = "the data is not the Order that the function expects: ";
        assert!(error.reason().starts_with(expected), "{error}");
        assert!(error.reason().contains(reason), "no {reason:?} in {error}");
    }
    async fn list(_: Event<Vec<Order>>) -> Result<()> {
        Ok(())
    }
    let error = host.event(list, Delivery::json("1")).unwrap_err();
    assert!(error.reason().contains("the Vec<"), "{error}");
}

#[test]
fn an_event_has_all_that_came_with_it() {
    async fn handle(event: Event<Raw>) -> Result<()> {
        assert_eq!((event.id(), event.source(), event.event_type()), ("7", "/orders", "paid"));
        assert_eq!((event.subject(), event.datacontenttype()), (Some("s"), Some("text/plain")));
        assert_eq!((event.attempt(), event.event_key()), (2, "/orders#7"));
        assert_eq!((event.key(), event.header("X-Tenant")), (Some(&b"k"[..]), Some(&b"acme"[..])));
        assert_eq!((event.extension("shard"), event.attribute("topic")), (Some("1"), Some("t")));
        assert_eq!((event.extension("topic"), event.attribute("shard")), (None, None));
        assert_eq!((event.context().attempts_max(), event.data.0.as_slice()), (5, &b"x"[..]));
        assert!(event.context().remaining() <= Duration::from_secs(9));
        Ok(())
    }
    let delivery = Delivery::bytes("text/plain", "x").id("7").source("/orders").event_type("paid");
    let delivery = delivery.subject("s").extension("shard", "1").attribute("topic", "t");
    let delivery = delivery.key("k").header("x-tenant", "acme").attempt(2);
    let host = Host::new().attempts_max(5).remaining(Duration::from_secs(9));
    host.event(handle, delivery).unwrap();
}

#[test]
fn a_batch_keeps_its_places_when_some_do_not_parse() {
    async fn handle(events: Vec<Event<u32>>) -> Result<BatchReply> {
        let mut reply = BatchReply::new();
        for event in &events {
            reply.emit(event, Outgoing::new("queue:q", "t").json(&event.data)?);
            if event.data == 2 {
                reply.fail(event, RetryAfter::new(Duration::from_secs(1), "two"));
                reply.fail(event, Reject::new("the first failure counts"));
            }
        }
        Ok(reply)
    }
    let outcome = Host::new().batch(handle, ["x", "1", "2", "y", "3"].map(Delivery::json));
    let failed: Vec<_> = outcome.failed().iter().map(|(at, e)| (*at, e.is_rejection())).collect();
    assert_eq!(failed, [(0, true), (2, false), (3, true)]);
    let emitted: Vec<u32> = outcome.emitted().iter().map(|o| o.read_json().unwrap()).collect();
    assert_eq!(emitted, [1, 3], "what a failed event emits is dropped");

    async fn fails(_: Vec<Event<u32>>) -> Result<BatchReply> {
        Err(internal())
    }
    let outcome = Host::new().batch(fails, ["x", "1"].map(Delivery::json));
    assert!(outcome.failed()[&0].is_rejection(), "a failing handler retries what never parses");
    assert!(!outcome.failed()[&1].is_rejection());
}

#[test]
fn bodies_stream_both_ways() {
    async fn shout(request: Request<Body>) -> Result<Response<Body>> {
        let pieces = stream::unfold(request.into_body(), |mut body| async {
            sleep(Duration::from_secs(1)).await;
            let piece = body.chunk().await.transpose()?;
            Some((piece.map(|piece| piece.to_ascii_uppercase()), body))
        });
        Ok(Response::new(Body::from_stream(pieces)))
    }
    let pieces = stream::iter(["a", "b"]).map(Ok::<_, io::Error>);
    let response = Host::new().request(shout, Request::new(Body::from_stream(pieces)));
    assert_eq!(response.body(), "AB");
}

#[test]
fn a_body_that_breaks_off_is_an_error() {
    let pieces = stream::iter([Ok("a"), Err(io::Error::other("cut"))]);
    let error = Host::new().run(Body::from_stream(pieces).bytes()).unwrap_err();
    assert_eq!(error.to_string(), "cut");
}

#[test]
fn trailers_pass_through_and_are_not_data() {
    struct WithTrailers(Vec<Frame<Bytes>>);
    impl http_body::Body for WithTrailers {
        type Data = Bytes;
        type Error = io::Error;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<io::Result<Frame<Bytes>>>> {
            std::task::Poll::Ready(self.0.pop().map(Ok))
        }
    }
    let trailers = || HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from(7))]);
    let frames = || vec![Frame::trailers(trailers()), Frame::data(Bytes::from("a"))];
    assert_eq!(Host::new().run(Body::new(WithTrailers(frames())).bytes()).unwrap(), "a");
    let mut body = Body::new(WithTrailers(frames()));
    let seen = Host::new().run(async {
        let mut body = std::pin::Pin::new(&mut body);
        let mut seen = Vec::new();
        while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            seen.push(frame.unwrap().is_trailers());
        }
        seen
    });
    assert_eq!(seen, [false, true]);
}

#[test]
fn a_body_knows_its_size_where_it_can() {
    for (body, exact) in [(Body::empty(), Some(0)), ("four".into(), Some(4))] {
        assert_eq!(body.size_hint().exact(), exact, "{body:?}");
    }
    assert!(Body::from("").is_end_stream(), "an empty body is none");
}

#[test]
fn state_of_the_fake_answers_like_the_host() {
    let host = Host::new().state("n", "9223372036854775806").state("word", "x");
    host.run(async {
        assert_eq!(state::increment("n", 1), Ok(i64::MAX));
        for (key, problem) in [("n", "out of range"), ("word", "no number")] {
            let Err(state::Error::Invalid(why)) = state::increment(key, 1) else {
                panic!("{key} was incremented")
            };
            assert!(why.contains(problem), "{why}");
        }
        let first = state::set("k", "1").unwrap();
        let second = state::compare_and_set("k", Some(first), "2", None).unwrap();
        assert!(second.is_some_and(|second| second != first));
        assert_eq!(state::compare_and_set("k", Some(first), "3", None), Ok(None), "an old version");
        assert_eq!(state::compare_and_set("k", None, "3", None), Ok(None), "it is not absent");
        assert_eq!((state::delete("k"), state::delete("k")), (Ok(true), Ok(false)));
        assert!(state::set(&"k".repeat(1025), "").is_err(), "a key beyond 1024 bytes");
        assert!(state::set("k", vec![0; 1024 * 1024 + 1]).is_err(), "a value beyond 1 MiB");
        assert!(state::list("", None, 0).is_err() && state::list("", None, 1001).is_err());
        state::set_for("passes", "x", Duration::from_secs(2)).unwrap();
        sleep(Duration::from_secs(1)).await;
        assert!(state::get("passes").unwrap().is_some());
        sleep(Duration::from_secs(1)).await;
        assert_eq!(state::get("passes"), Ok(None), "its time is over");
    });
}

#[test]
fn an_update_begins_again_when_another_writer_was_faster() {
    let host = Host::new().state("n", "1");
    let mut rivals = 2;
    let sum = host.run(async {
        state::update("n", |n: Option<u32>| {
            if rivals > 0 {
                rivals -= 1;
                state::increment("n", 10).unwrap();
            }
            n.unwrap_or_default() + 1
        })
    });
    assert_eq!(sum, Ok(22));
    let always = host.run(async {
        state::update("n", |n: Option<u32>| {
            state::increment("n", 1).unwrap();
            n.unwrap_or_default()
        })
    });
    assert!(matches!(always, Err(state::Error::Unavailable(_))), "{always:?}");
}

#[test]
fn a_batch_is_sent_whole_or_not_at_all() {
    let host = Host::new().allow_send("queue:a");
    let both = [Outgoing::new("queue:a", "t"), Outgoing::new("queue:b", "t")];
    let sent = host.run(async { publish::send_batch(both) });
    assert!(matches!(sent, Err(publish::Error::Denied(why)) if why.contains("queue:b")));
    assert!(host.sent().is_empty(), "half of a batch was sent");
}

#[test]
fn a_call_needs_an_absolute_uri() {
    let error = Host::new().run(client::get("/path")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("`/path` is not absolute"), "{error}");
}

#[test]
fn a_record_carries_the_fields_of_the_spans_around_it() {
    let host = Host::new();
    host.run(async {
        let outer = tracing::info_span!("outer", order = 7, step = "a");
        let _outer = outer.enter();
        let inner = tracing::info_span!("inner", step = "b", late = tracing::field::Empty);
        inner.record("late", true);
        inner.in_scope(
            || tracing::warn!(target: "shop", sum = 1.5, name = %"Ada", "paid {}", "in full"),
        );
        tracing::info!("between");
        tracing::debug!("below the level");
    });
    let logs = host.logs();
    let [paid, between] = logs.as_slice() else { panic!("{logs:?}") };
    assert_eq!((paid.level, paid.target.as_str()), (tracing::Level::WARN, "shop"));
    assert_eq!(paid.message, "paid in full");
    for (name, value) in
        [("sum", "1.5"), ("name", "Ada"), ("step", "b"), ("late", "true"), ("order", "7")]
    {
        assert_eq!(paid.field(name), Some(value), "{name} in {paid:?}");
    }
    assert_eq!((between.field("step"), between.field("late")), (Some("a"), None));
}
