use super::*;
use crate::FunctionConfig;
use crate::sandbox::CallInfo;

fn function() -> FunctionConfig {
    let mut function = FunctionConfig::new("f".parse().unwrap());
    function.send = vec!["queue:a".parse().unwrap()];
    function
}

fn emit(target: &str) -> wit::Outgoing {
    let event = wit::Event {
        id: "mine".into(),
        source: String::new(),
        type_: "t".into(),
        subject: None,
        time: None,
        datacontenttype: None,
        dataschema: None,
        extensions: vec![("shard".into(), "7".into())],
        data: Some(b"x".to_vec()),
    };
    let (key, headers) = (Some(b"k".to_vec()), vec![("h".into(), b"v".to_vec())]);
    wit::Outgoing { target: target.into(), event, key, headers, delay_ms: Some(5) }
}

fn cause(id: &str) -> Cause {
    ("/s".to_owned(), id.to_owned())
}

fn emitted(outcome: &Outcome) -> &[Outgoing] {
    match outcome {
        Outcome::Done(Reply::Event(reply)) => &reply.emit,
        _ => panic!("the item failed"),
    }
}

fn failure(outcome: &Outcome) -> (FailureClass, &str) {
    match outcome {
        Outcome::Failed(failure) => (failure.class, &failure.detail),
        _ => panic!("the item did not fail"),
    }
}

#[test]
fn an_emit_is_filled_in_and_the_same_in_every_attempt() {
    let (function, call) = (function(), CallInfo { hops: 3, ..CallInfo::none() });
    let sender = Sender { function: &function, call: &call };
    let run = || {
        let reply = wit::Reply { emit: vec![emit("queue:a"), emit("queue:a")], ..nothing() };
        outcome(Ok(reply), &cause("1"), sender)
    };
    let (first, again) = (run(), run());
    let [one, two] = emitted(&first) else { panic!("not two emits") };
    assert_eq!(one.event.source, "function:f", "an empty source is not filled in");
    assert_eq!((one.hops, one.delay), (4, Some(Duration::from_millis(5))));
    assert_eq!(one.event.extensions.get("shard").map(String::as_str), Some("7"));
    assert!(one.event.extensions.contains_key("traceparent"), "the trace breaks off");
    assert_ne!(one.event.id.as_str(), "mine", "the id of an emit is the host's");
    assert_ne!(one.event.id, two.event.id, "two emits share an id");
    let ids = |outcome| emitted(outcome).iter().map(|e| e.event.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&again), "another attempt emits other events");
}

#[test]
fn an_emit_that_is_not_granted_or_not_well_formed_rejects_its_item() {
    let (function, call) = (function(), CallInfo::none());
    let sender = Sender { function: &function, call: &call };
    let run = |emit| outcome(Ok(wit::Reply { emit, ..nothing() }), &cause("1"), sender);
    let denied = run(vec![emit("queue:a"), emit("queue:b"), emit("topic:a")]);
    let (class, detail) = failure(&denied);
    assert_eq!(class, FailureClass::Rejected);
    assert!(detail.ends_with("queue:b, topic:a"), "{detail}");
    let mut untyped = emit("queue:a");
    untyped.event.type_ = String::new();
    for bad in [emit("nowhere"), untyped] {
        let refused = run(vec![bad]);
        let (class, detail) = failure(&refused);
        assert_eq!(class, FailureClass::Rejected);
        assert!(detail.starts_with("emit[0]: "), "{detail}");
    }
}

#[test]
fn emits_of_a_batch_go_to_their_items_and_those_of_failed_items_are_dropped() {
    let (function, call) = (function(), CallInfo::none());
    let sender = Sender { function: &function, call: &call };
    let causes = [cause("1"), cause("2"), cause("3")];
    let failed = wit::FailedItem { index: 1, failure: wit::Failure::Reject("no".into()) };
    let reply = wit::BatchReply {
        failed: vec![failed],
        emit: vec![(0, emit("queue:a")), (1, emit("queue:a")), (2, emit("queue:b"))],
    };
    let outcomes = batch_outcomes(Ok(reply), &causes, sender);
    assert_eq!(emitted(&outcomes[0]).len(), 1);
    assert_eq!(failure(&outcomes[1]), (FailureClass::Rejected, "no"));
    assert_eq!(failure(&outcomes[2]).0, FailureClass::Rejected, "an emit that is not granted");
}

#[test]
fn an_index_out_of_range_fails_the_whole_batch() {
    let (function, call) = (function(), CallInfo::none());
    let sender = Sender { function: &function, call: &call };
    let failed = wit::FailedItem { index: 2, failure: wit::Failure::Reject("no".into()) };
    for reply in [
        wit::BatchReply { failed: vec![failed], emit: Vec::new() },
        wit::BatchReply { failed: Vec::new(), emit: vec![(2, emit("queue:a"))] },
    ] {
        let outcomes = batch_outcomes(Ok(reply), &[cause("1"), cause("2")], sender);
        assert_eq!(outcomes.len(), 2);
        assert!(outcomes.iter().all(|outcome| failure(outcome).0 == FailureClass::Trap));
    }
}
