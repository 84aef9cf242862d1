use super::*;

const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_good_traceparent_survives_parse_and_print() {
    assert_eq!(TraceContext::parse(GOOD).unwrap().to_string(), GOOD);
}

#[test]
fn malformed_traceparents_restart_the_trace() {
    for text in [
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
        "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
    ] {
        assert_eq!(TraceContext::parse(text), None, "{text:?} was taken for a traceparent");
    }
}

#[test]
fn a_future_version_is_read_by_its_known_fields() {
    let future = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes";
    assert_eq!(TraceContext::parse(future).unwrap().to_string(), GOOD);
}

#[test]
fn a_repeated_traceparent_restarts_and_tracestates_join() {
    let mut headers = HeaderMap::new();
    headers.append(TRACEPARENT, HeaderValue::from_static(GOOD));
    headers.append(TRACESTATE, HeaderValue::from_static("a=1"));
    headers.append(TRACESTATE, HeaderValue::from_static("b=2"));
    assert_eq!(TraceContext::from_headers(&headers).unwrap().tracestate(), Some("a=1,b=2"));
    headers.append(TRACEPARENT, HeaderValue::from_static(GOOD));
    assert_eq!(TraceContext::from_headers(&headers), None);
}

#[test]
fn a_child_stays_in_the_trace_and_takes_a_new_position() {
    let parent = TraceContext::parse(GOOD).unwrap();
    let child = parent.child();
    assert_eq!(child.trace_id(), parent.trace_id());
    assert_ne!(child.to_string(), parent.to_string());
}
