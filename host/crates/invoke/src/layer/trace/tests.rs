use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::BodyExt;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};
use wfh_event::FailureClass;

use super::*;
use crate::layer::testing::{Fake, invocation, only};
use crate::{Deadline, RecordBudget, ReplyBody};

fn figures(per_second_max: u32) -> Arc<Figures> {
    Arc::new(Figures::new(Arc::new(RecordBudget::new(per_second_max))))
}

fn layer(takes: Duration, figures: &Arc<Figures>) -> Trace<Arc<Fake>> {
    let (function, version) = ("hello".parse().unwrap(), Version::default());
    Trace::new(Arc::new(Fake::taking(takes)), function, version, Arc::clone(figures))
}

#[tokio::test]
async fn a_call_is_in_flight_until_its_last_byte_is_read() {
    let figures = figures(10);
    let outcome = only(layer(Duration::ZERO, &figures).invoke(invocation()).await);
    assert_eq!(figures.now().in_flight, 1, "an answer that nobody has read has ended");
    let Outcome::Done(Reply::Http(response, tail)) = outcome else { panic!("no answer") };
    let body = ReplyBody::new(response.into_body(), tail).collect().await.unwrap().to_bytes();
    assert_eq!(body, "ok");
    let now = figures.now();
    assert_eq!((now.calls, now.in_flight, now.failed), (1, 0, vec![]));
}

#[tokio::test(start_paused = true)]
async fn failures_count_by_class_and_a_caller_that_leaves_is_cancelled() {
    let figures = figures(10);
    let second = Duration::from_secs(1);
    let slow = Deadline::new(Arc::new(Fake::taking(second * 2)), second);
    let function = "hello".parse().unwrap();
    let layer = Trace::new(slow, function, Version::default(), Arc::clone(&figures));
    layer.invoke(invocation()).await;
    drop(tokio::time::timeout(second / 2, layer.invoke(invocation())).await);
    let now = figures.now();
    assert_eq!((now.calls, now.in_flight), (2, 0));
    assert_eq!(now.failed, [(FailureClass::Timeout, 1), (FailureClass::Cancelled, 1)]);
}

/// Counts the records of invocations that are written.
#[derive(Clone, Default)]
struct Records(Arc<AtomicUsize>);

impl Subscriber for Records {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "wfh::invocation"
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        struct Ended(bool);
        impl Visit for Ended {
            fn record_debug(&mut self, field: &Field, _: &dyn std::fmt::Debug) {
                self.0 |= field.name() == "duration_ms";
            }
        }
        let mut ended = Ended(false);
        event.record(&mut ended);
        self.0.fetch_add(usize::from(ended.0), Ordering::SeqCst);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_flood_of_calls_writes_no_more_records_than_the_budget() {
    let (records, figures) = (Records::default(), figures(5));
    let _guard = tracing::subscriber::set_default(records.clone());
    let layer = layer(Duration::ZERO, &figures);
    for _ in 0..100 {
        drop(layer.invoke(invocation()).await);
    }
    let written = records.0.load(Ordering::SeqCst);
    // The flood may meet the turn of a second.
    assert!((5..=10).contains(&written), "{written} records of a budget of 5");
    assert_eq!(figures.now().calls, 100);
}
