//! One span per event, the counts of its function, and one record of how it ended.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tracing::Instrument;
use wfh_event::{Failure, FailureClass, FunctionName, InvocationId};
use wfh_telemetry::TraceContext;

use crate::{End, Figures, Input, Invocation, Invoke, Outcome, Reply};

mod record;

use record::Record;

/// The outermost layer: everything below runs in the invocation's span.
pub struct Trace<I> {
    inner: I,
    shared: Arc<Shared>,
}

struct Shared {
    function: FunctionName,
    figures: Arc<Figures>,
}

impl<I> Trace<I> {
    /// Traces the calls of `function` through `inner`, and counts them.
    pub fn new(inner: I, function: FunctionName, figures: Arc<Figures>) -> Self {
        Self { inner, shared: Arc::new(Shared { function, figures }) }
    }
}

/// A call that began. Dropped before its end, it was cancelled.
struct Running<'a> {
    shared: &'a Arc<Shared>,
    head: Head,
    ended: bool,
}

/// What a record says of a call besides its end.
#[derive(Clone)]
struct Head {
    id: InvocationId,
    trace: TraceContext,
    attempt: u32,
    began: Instant,
}

impl<'a> Running<'a> {
    fn new(shared: &'a Arc<Shared>, invocation: &Invocation) -> Self {
        shared.figures.started();
        let attempt = match &invocation.input {
            Input::Http(_) => 1,
            Input::Events(items) => items.first().map_or(1, |item| item.attempt),
        };
        let (id, trace) = (invocation.id, invocation.trace.clone());
        let head = Head { id, trace, attempt, began: Instant::now() };
        Self { shared, head, ended: false }
    }

    /// A streaming answer ends later, and is recorded then.
    fn end(mut self, outcomes: &mut [Outcome]) {
        self.ended = true;
        if let [Outcome::Done(Reply::Http(response, tail))] = outcomes {
            let (shared, head) = (Arc::clone(self.shared), self.head.clone());
            let status = response.status().as_u16();
            tail.on_end(move |end| shared.answered(&head, status, end));
            return;
        }
        self.shared.figures.ended();
        let mut done = 0;
        for outcome in outcomes.iter() {
            match outcome {
                Outcome::Failed(failure) => self.shared.failed(&self.head, failure),
                Outcome::Done(_) => done += 1,
                Outcome::Deferred { .. } => {}
            }
        }
        if done > 0 {
            self.shared.write(&self.head, |record| record.done(None, done));
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.figures.ended();
            let failure = Failure::new(FailureClass::Cancelled, "the caller left");
            self.shared.failed(&self.head, &failure);
        }
    }
}

impl Shared {
    fn failed(&self, head: &Head, failure: &Failure) {
        self.figures.failed(failure.class);
        self.write(head, |record| record.failed(failure));
    }

    fn answered(&self, head: &Head, status: u16, end: &End) {
        self.figures.ended();
        let class = match end {
            End::Complete => return self.write(head, |record| record.done(Some(status), 1)),
            End::Failed(class) => *class,
            End::Dropped => FailureClass::Cancelled,
        };
        self.figures.failed(class);
        self.write(head, |record| record.broke_off(class, status));
    }

    fn write(&self, head: &Head, record: impl FnOnce(&Record<'_>)) {
        let now = Instant::now();
        let Some(left_out) = self.figures.records().take(now.into_std()) else {
            return;
        };
        if left_out > 0 {
            record::left_out(left_out);
        }
        let duration = now - head.began;
        record(&Record { function: &self.function, head, duration });
    }
}

impl<I: Invoke> Invoke for Trace<I> {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        let span = tracing::debug_span!(
            "invocation",
            "faas.name" = %self.shared.function,
            "faas.invocation_id" = %invocation.id,
            "trace_id" = invocation.trace.trace_id(),
        );
        let call = async move {
            let running = Running::new(&self.shared, &invocation);
            let mut outcomes = self.inner.invoke(invocation).await;
            running.end(&mut outcomes);
            outcomes
        };
        // A disabled span must cost nothing on the way of an event.
        if span.is_disabled() { Box::pin(call) } else { Box::pin(call.instrument(span)) }
    }
}

#[cfg(test)]
mod tests;
