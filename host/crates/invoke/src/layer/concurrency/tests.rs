use super::*;
use crate::ReplyBody;
use crate::layer::testing::{Fake, class, invocation, only};
use http_body_util::BodyExt;
use std::sync::atomic::Ordering;

const SECOND: Duration = Duration::from_secs(1);

fn layer(fake: &Arc<Fake>, limit: usize, host: usize) -> Arc<Concurrency<Arc<Fake>>> {
    Arc::new(Concurrency::new(Arc::clone(fake), limit, SECOND, HostLimit::new(host)))
}

async fn classes(layer: &Arc<Concurrency<Arc<Fake>>>, calls: usize) -> Vec<Option<FailureClass>> {
    let started = (0..calls).map(|_| {
        let layer = Arc::clone(layer);
        tokio::spawn(async move { class(layer.invoke(invocation()).await) })
    });
    futures_util::future::join_all(started).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(start_paused = true)]
async fn never_more_run_than_the_limit_and_waiters_run_in_turn() {
    let fake = Arc::new(Fake::taking(SECOND / 4));
    let ended = classes(&layer(&fake, 2, 100), 6).await;
    assert_eq!(fake.peak.load(Ordering::SeqCst), 2, "more ran at once than the limit");
    assert!(ended.iter().all(Option::is_none), "a waiter within queue_timeout was refused");
}

#[tokio::test(start_paused = true)]
async fn a_waiter_beyond_queue_timeout_is_told_busy_and_never_starts() {
    let fake = Arc::new(Fake::taking(SECOND * 3));
    let ended = classes(&layer(&fake, 1, 100), 3).await;
    let busy = ended.iter().filter(|class| **class == Some(FailureClass::Busy)).count();
    assert_eq!((busy, fake.calls.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn the_hosts_ceiling_is_unavailable_not_busy() {
    let fake = Arc::new(Fake::taking(SECOND * 3));
    let ended = classes(&layer(&fake, 10, 1), 2).await;
    assert!(ended.contains(&Some(FailureClass::Unavailable)), "the host's ceiling did not hold");
}

#[tokio::test(start_paused = true)]
async fn a_streaming_answer_keeps_its_permit_to_the_last_byte() {
    let fake = Arc::new(Fake::default());
    let layer = layer(&fake, 1, 100);
    let Outcome::Done(Reply::Http(response, tail)) = only(layer.invoke(invocation()).await) else {
        panic!("the fake answers");
    };
    let mut body = ReplyBody::new(response.into_body(), tail);
    assert_eq!(class(layer.invoke(invocation()).await), Some(FailureClass::Busy));
    while body.frame().await.is_some() {}
    assert_eq!(class(layer.invoke(invocation()).await), None, "the permit was not given back");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_gives_its_place_back() {
    let fake = Arc::new(Fake::taking(SECOND * 100));
    let layer = layer(&fake, 1, 1);
    let left = tokio::time::timeout(SECOND, layer.invoke(invocation())).await;
    assert!(left.is_err());
    assert_eq!(layer.own.available_permits(), 1, "a cancelled call leaked its permit");
    assert_eq!(layer.host.0.available_permits(), 1, "a cancelled call leaked the host's permit");
}
