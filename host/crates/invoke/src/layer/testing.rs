//! An in-memory `Invoke` for layer tests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use wfh_telemetry::TraceContext;

use crate::{
    Body, HttpInput, Input, Invocation, Invoke, Outcome, Reply, Tail, bytes_body, empty_body,
    new_invocation_id,
};

/// Answers `ok` after a while and counts its callers.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) takes: Duration,
    pub(crate) calls: AtomicUsize,
    pub(crate) now: AtomicUsize,
    pub(crate) peak: AtomicUsize,
}

impl Fake {
    pub(crate) fn taking(takes: Duration) -> Self {
        Self { takes, ..Self::default() }
    }
}

impl Invoke for std::sync::Arc<Fake> {
    fn invoke(&self, _: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.peak.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(self.takes).await;
            self.now.fetch_sub(1, Ordering::SeqCst);
            vec![Outcome::Done(Reply::Http(Response::new(bytes_body("ok")), Tail::default()))]
        })
    }
}

pub(crate) fn invocation() -> Invocation {
    with_body(empty_body())
}

pub(crate) fn with_body(body: Body) -> Invocation {
    Invocation {
        id: new_invocation_id(),
        target: "function:fake".parse().unwrap(),
        deadline: None,
        hops: 0,
        attempts_max: 1,
        trace: TraceContext::root(),
        phases: None,
        input: Input::Http(Box::new(HttpInput { request: Request::new(body), route: "/".into() })),
    }
}

/// Fails as it is told, and counts its callers.
#[derive(Default)]
pub(crate) struct Failing {
    class: std::sync::Mutex<Option<wfh_event::FailureClass>>,
    calls: AtomicUsize,
}

impl Failing {
    pub(crate) fn fail(&self, class: Option<wfh_event::FailureClass>) {
        *self.class.lock().unwrap() = class;
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Invoke for std::sync::Arc<Failing> {
    fn invoke(&self, _: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let outcome = match *self.class.lock().unwrap() {
            Some(class) => Outcome::Failed(wfh_event::Failure::new(class, "told to fail")),
            None => Outcome::Done(Reply::Http(Response::new(bytes_body("ok")), Tail::default())),
        };
        Box::pin(async move { vec![outcome] })
    }
}

/// The one outcome of an HTTP call.
pub(crate) fn only(outcomes: Vec<Outcome>) -> Outcome {
    assert_eq!(outcomes.len(), 1, "an HTTP request is one item");
    outcomes.into_iter().next().unwrap()
}

pub(crate) fn class(outcomes: Vec<Outcome>) -> Option<wfh_event::FailureClass> {
    match only(outcomes) {
        Outcome::Failed(failure) => Some(failure.class),
        Outcome::Done(_) | Outcome::Deferred { .. } => None,
    }
}
