use super::*;

fn entry(fields: &[(&str, &[u8])]) -> Entry {
    let field = |(name, value): &(&str, &[u8])| {
        (Bytes::copy_from_slice(name.as_bytes()), Bytes::copy_from_slice(value))
    };
    Entry {
        origin: Arc::new(Origin { key: "jobs".to_owned(), group: "workers".to_owned() }),
        id: "1700000000000-3".to_owned(),
        payload: Payload::Fields(fields.iter().map(field).collect()),
    }
}

#[track_caller]
fn check(fields: &[(&str, &[u8])], id: &str, kind: &str, data: Option<&str>) -> Event {
    let (item, _) = entry(fields).item();
    let event = item.event;
    let seen = event.data.as_deref().map(|data| std::str::from_utf8(data).unwrap().to_owned());
    assert_eq!((event.id.as_str(), event.r#type.as_str()), (id, kind));
    assert_eq!(seen.as_deref(), data);
    assert_eq!(item.headers.len(), fields.len(), "fields are given as they came");
    event
}

const DERIVED: &str = "redis://jobs/1700000000000-3";

#[test]
fn fields_are_an_object_unless_they_are_a_cloud_event() {
    let plain = check(
        &[("a", b"1"), ("b", b"x")],
        DERIVED,
        "wfh.redis.entry",
        Some(r#"{"a":"1","b":"x"}"#),
    );
    assert_eq!(plain.source, "redis://jobs");
    assert_eq!(plain.time.as_deref(), Some("2023-11-14T22:13:20Z"));
    check(&[("a", &[0xff])], DERIVED, "wfh.redis.entry", Some(r#"{"a":{"base64":"/w=="}}"#));
    check(&[("traceparent", b"x"), ("a", b"1")], DERIVED, "wfh.redis.entry", Some(r#"{"a":"1"}"#));
    let whole: &[(&str, &[u8])] =
        &[("ce-id", b"7"), ("ce-source", b"/shop"), ("ce-type", b"paid"), ("data", b"x")];
    assert_eq!(check(whole, "7", "paid", Some("x")).source, "/shop");
    // What a CloudEvent does not say is derived.
    check(&[("ce-type", b"paid"), ("data", b"x")], DERIVED, "paid", Some("x"));
    check(&[("ce-id", b"7")], "7", "wfh.redis.entry", None);
    // A broken one is an entry like any other.
    let broken: &[(&str, &[u8])] = &[("ce-id", b"7"), ("ce-Bad", b"x")];
    // The object's names are sorted.
    check(broken, DERIVED, "wfh.redis.entry", Some(r#"{"ce-Bad":"x","ce-id":"7"}"#));
}

#[test]
fn an_element_of_a_list_is_its_data() {
    let element = Entry {
        id: "42".to_owned(),
        payload: Payload::Element(Bytes::from_static(&[0xff, 0])),
        ..entry(&[])
    };
    let (item, _) = element.item();
    assert_eq!(item.event.id.as_str(), "redis://jobs/42");
    assert_eq!(item.event.r#type, "wfh.redis.element");
    assert_eq!(item.event.data.as_deref(), Some(&[0xff, 0][..]));
    assert!(item.attributes.contains(&("list".to_owned(), "jobs".to_owned())));
}

#[test]
fn what_is_sent_is_read_as_the_same_event() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let sent: &[(&str, &[u8])] = &[
        ("ce-id", b"7"),
        ("ce-source", b"/shop"),
        ("ce-type", b"paid"),
        ("ce-subject", b"s"),
        ("ce-tenant", b"eu"),
        ("content-type", b"application/json"),
        ("traceparent", parent.as_bytes()),
        ("tracestate", b"a=b"),
        ("wfh-hops", b"2"),
        ("wfh-key", b"user"),
        ("other", &[0xff]),
        ("data", b"{}"),
    ];
    let (item, hops) = entry(sent).item();
    assert_eq!(hops, 2);
    assert_eq!(item.key.as_deref(), Some(&b"user"[..]));
    assert_eq!(item.trace.as_ref().unwrap().tracestate(), Some("a=b"));
    assert_eq!(item.event.extensions.get("tenant").map(String::as_str), Some("eu"));
    assert_eq!(item.event.datacontenttype.as_deref(), Some("application/json"));
}
