use super::*;

fn record(headers: &[(&str, &[u8])], value: Option<&'static [u8]>) -> KafkaRecord {
    KafkaRecord {
        topic: "orders".into(),
        partition: 3,
        offset: 42,
        timestamp_ms: Some(1_700_000_000_000),
        key: Some(Bytes::from_static(b"user-7")),
        value: value.map(Bytes::from_static),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Bytes::copy_from_slice(value)))
            .collect(),
    }
}

/// Id, source, type, subject, content type, data.
type Seen<'s> =
    (&'s str, &'s str, &'s str, Option<&'s str>, Option<&'s str>, Option<&'static [u8]>);

#[track_caller]
fn check(headers: &[(&str, &[u8])], value: Option<&'static [u8]>, expected: Seen<'_>) {
    let (item, _) = record(headers, value).item();
    let event = &item.event;
    let seen = (
        event.id.as_str(),
        event.source.as_str(),
        event.r#type.as_str(),
        event.subject.as_deref(),
        event.datacontenttype.as_deref(),
        event.data.as_deref(),
    );
    let (id, source, kind, subject, content_type, data) = expected;
    assert_eq!(seen, (id, source, kind, subject, content_type, data));
    assert_eq!(item.key.as_deref(), Some(&b"user-7"[..]), "the key is given as it came");
    assert_eq!(item.headers.len(), headers.len(), "headers are given as they came");
}

const PLAIN: (&str, &str, &str, Option<&str>) =
    ("kafka://orders/3/42", "kafka://orders", "wfh.kafka.record", Some("user-7"));

#[test]
fn every_kind_of_record_is_an_event() {
    let (id, source, kind, subject) = PLAIN;
    check(&[], Some(b"{}"), (id, source, kind, subject, None, Some(b"{}")));
    // A tombstone has no data.
    check(&[], None, (id, source, kind, subject, None, None));
    let typed: &[(&str, &[u8])] = &[("content-type", b"application/json")];
    check(typed, Some(b"1"), (id, source, kind, subject, Some("application/json"), Some(b"1")));
    let binary: &[(&str, &[u8])] = &[
        ("ce_specversion", b"1.0"),
        ("ce_id", b"9"),
        ("ce_source", b"/shop"),
        ("ce_type", b"paid"),
        ("ce_subject", b"order"),
        ("content-type", b"text/plain"),
    ];
    check(
        binary,
        Some(b"x"),
        ("9", "/shop", "paid", Some("order"), Some("text/plain"), Some(b"x")),
    );
    let structured: &[(&str, &[u8])] = &[("content-type", b"application/cloudevents+json")];
    let body = br#"{"specversion":"1.0","id":"9","source":"/shop","type":"paid","data":{"a":1}}"#;
    check(structured, Some(body), ("9", "/shop", "paid", None, None, Some(br#"{"a":1}"#)));
}

#[test]
fn what_is_broken_is_a_plain_record() {
    let (id, source, kind, subject) = PLAIN;
    let without_id: &[(&str, &[u8])] = &[("ce_specversion", b"1.0"), ("ce_source", b"/shop")];
    check(without_id, Some(b"x"), (id, source, kind, subject, None, Some(b"x")));
    let structured = "application/cloudevents+json";
    let headers: &[(&str, &[u8])] = &[("content-type", structured.as_bytes())];
    check(headers, Some(b"{"), (id, source, kind, subject, Some(structured), Some(b"{")));
    check(headers, None, (id, source, kind, subject, Some(structured), None));
    // Neither a name nor a value has to be text.
    check(&[("x", &[0xff, 0xfe])], Some(&[0xff]), (id, source, kind, subject, None, Some(&[0xff])));
}

#[test]
fn trace_hops_and_place_come_along() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers: &[(&str, &[u8])] =
        &[("traceparent", parent.as_bytes()), ("wfh-hops", b"3"), ("tenant", b"eu")];
    let (item, hops) = record(headers, None).item();
    assert_eq!(hops, 3);
    assert_eq!(item.trace.unwrap().trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    let attribute = |name: &str| {
        item.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    };
    assert_eq!(attribute("topic"), Some("orders"));
    assert_eq!(attribute("partition"), Some("3"));
    assert_eq!(attribute("offset"), Some("42"));
    assert_eq!(attribute("tenant"), Some("eu"));
    assert_eq!(item.event_key, "kafka://orders#kafka://orders/3/42");
}
