use super::*;
use crate::{bytes_body, empty_body};
use http_body_util::{BodyExt, Channel};
use std::sync::{Arc, Mutex};

fn recorded() -> (Tail, Arc<Mutex<Option<End>>>) {
    let seen = Arc::new(Mutex::new(None));
    let mut tail = Tail::default();
    let record = Arc::clone(&seen);
    tail.on_end(move |end| *record.lock().unwrap() = Some(end.clone()));
    (tail, seen)
}

#[tokio::test]
async fn the_tail_ends_with_the_last_byte() {
    let (tail, seen) = recorded();
    let mut body = ReplyBody::new(bytes_body("x"), tail);
    assert_eq!(*seen.lock().unwrap(), None, "the tail ended before the first byte was out");
    while body.frame().await.is_some() {}
    assert_eq!(*seen.lock().unwrap(), Some(End::Complete));
}

#[tokio::test]
async fn an_empty_body_ends_its_tail_at_once() {
    let (tail, seen) = recorded();
    let _body = ReplyBody::new(empty_body(), tail);
    assert_eq!(*seen.lock().unwrap(), Some(End::Complete));
}

#[tokio::test]
async fn a_dropped_body_ends_its_tail() {
    let (tail, seen) = recorded();
    drop(ReplyBody::new(bytes_body("x"), tail));
    assert_eq!(*seen.lock().unwrap(), Some(End::Dropped));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_cut_off_at_its_deadline() {
    let (mut tail, seen) = recorded();
    let start = Instant::now();
    tail.set_deadline(start + Duration::from_millis(300));
    let (_sender, stalled) = Channel::<Bytes, Failure>::new(1);
    let mut body = ReplyBody::new(stalled.boxed_unsync(), tail);
    let failure = body.frame().await.unwrap().unwrap_err();
    assert_eq!(failure.class, FailureClass::Timeout);
    assert_eq!(start.elapsed(), Duration::from_millis(300), "the answer was not cut off in time");
    assert_eq!(*seen.lock().unwrap(), Some(End::Failed(FailureClass::Timeout)));
}

#[test]
fn a_later_deadline_does_not_extend_an_earlier_one() {
    let now = Instant::now();
    let mut tail = Tail::default();
    tail.set_deadline(now + Duration::from_secs(1));
    tail.set_deadline(now + Duration::from_secs(5));
    assert_eq!(tail.deadline, Some(now + Duration::from_secs(1)));
}
