//! One span per event, the counts of its function, and one record of how it ended.

use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tracing::Instrument;
use wfh_event::{Failure, FailureClass, FunctionName, InvocationId};
use wfh_telemetry::{CallMeters, KeyValue, Phases, Recording, TraceContext, attribute, meters};

use crate::{End, Figures, Input, Invocation, Invoke, Outcome, Reply, Version};

mod describe;
mod record;

pub(crate) use describe::Accepting;
use describe::{Source, Trigger};
use record::Record;

/// The outermost layer: everything below runs in the invocation's span.
pub struct Trace<I> {
    inner: I,
    shared: Arc<Shared>,
}

struct Shared {
    function: FunctionName,
    /// The same, as spans have it.
    name: KeyValue,
    version: Version,
    figures: Arc<Figures>,
    /// Made when a kind of trigger calls first.
    meters: [OnceLock<CallMeters>; Trigger::ALL.len()],
}

impl<I> Trace<I> {
    /// Traces the calls of `function` through `inner`, and counts them.
    pub fn new(inner: I, function: FunctionName, version: Version, figures: Arc<Figures>) -> Self {
        let name = KeyValue::new(attribute::FAAS_NAME, Arc::<str>::from(function.as_str()));
        meters().known(function.as_str());
        let meters = Default::default();
        Self { inner, shared: Arc::new(Shared { function, name, version, figures, meters }) }
    }
}

/// A call that began. Dropped before its end, it was cancelled.
struct Running {
    shared: Arc<Shared>,
    head: Head,
    trigger: Trigger,
    /// What it is counted with when it came out of a queue or a stream.
    source: Option<Vec<KeyValue>>,
    items: usize,
    span: Option<(Recording, Arc<Phases>)>,
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

impl Running {
    fn new(shared: &Arc<Shared>, invocation: &mut Invocation) -> Self {
        shared.figures.started();
        let trigger = Trigger::of(&invocation.input);
        let first = match &invocation.input {
            Input::Http(_) => None,
            Input::Events(items) => items.first(),
        };
        let attempt = first.map_or(1, |item| item.attempt);
        let source = first.and_then(Source::of).map(|source| source.attributes("process"));
        let (id, trace) = (invocation.id, invocation.trace.clone());
        let head = Head { id, trace, attempt, began: Instant::now() };
        let span = describe::begin(shared, trigger, invocation).map(|recording| {
            let phases = Arc::<Phases>::default();
            invocation.phases = Some(Arc::clone(&phases));
            (recording, phases)
        });
        let (shared, items) = (Arc::clone(shared), invocation.input.items());
        Self { shared, head, trigger, source, items, span, ended: false }
    }

    /// A streaming answer ends later, and is recorded then.
    fn end(mut self, outcomes: &mut [Outcome]) {
        if let [Outcome::Done(Reply::Http(response, tail))] = outcomes {
            let status = response.status().as_u16();
            tail.on_end(move |end| self.answered(status, end));
            return;
        }
        let is_pressure = |outcome: &Outcome| matches!(outcome, Outcome::Failed(failure) if failure.class.is_pressure());
        if self.trigger == Trigger::PubSub && outcomes.iter().all(is_pressure) {
            return self.never_began(outcomes);
        }
        self.ended();
        let mut done = 0;
        for outcome in outcomes.iter() {
            match outcome {
                Outcome::Failed(failure) => self.failed(failure),
                Outcome::Done(_) => done += 1,
                Outcome::Deferred { .. } => {
                    if let Some((recording, phases)) = &mut self.span {
                        phases.put_off(recording);
                    }
                }
            }
        }
        if done > 0 {
            self.meters().went_well(done);
            self.write(|record| record.done(None, done));
        }
    }

    /// Whoever pulls the events comes again with them: it is neither a call, nor a failure, nor a span.
    fn never_began(mut self, outcomes: &[Outcome]) {
        self.ended = true;
        self.shared.figures.ended();
        self.span = None;
        if let Some(Outcome::Failed(failure)) = outcomes.first() {
            self.write(|record| record.failed(failure));
        }
    }

    fn answered(mut self, status: u16, end: &End) {
        self.ended();
        let class = match end {
            End::Complete => None,
            End::Failed(class) => Some(*class),
            End::Dropped => Some(FailureClass::Cancelled),
        };
        if let Some((recording, _)) = &mut self.span {
            describe::answered(recording, status, class);
        }
        match class {
            None => {
                self.meters().went_well(1);
                self.write(|record| record.done(Some(status), 1));
            }
            Some(class) => {
                self.count_failure(class);
                self.write(|record| record.broke_off(class, status));
            }
        }
    }

    /// Once for a call, whichever way it ended.
    fn ended(&mut self) {
        self.ended = true;
        self.shared.figures.ended();
        let took = self.head.began.elapsed();
        self.meters().ended(took);
        if let Some(attributes) = &self.source {
            meters().processed(took, self.items as u64, attributes);
        }
    }

    fn failed(&mut self, failure: &Failure) {
        self.count_failure(failure.class);
        if let Some((recording, _)) = &mut self.span {
            describe::failed(recording, failure, self.trigger == Trigger::Http);
        }
        self.write(|record| record.failed(failure));
    }

    fn count_failure(&self, class: FailureClass) {
        self.shared.figures.failed(class);
        let calls = self.meters();
        meters().failed(calls, class.as_str());
        if class == FailureClass::Timeout {
            calls.timed_out();
        }
    }

    fn meters(&self) -> &CallMeters {
        let [http, pubsub, timer, other] = &self.shared.meters;
        let made = match self.trigger {
            Trigger::Http => http,
            Trigger::PubSub => pubsub,
            Trigger::Timer => timer,
            Trigger::Other => other,
        };
        made.get_or_init(|| meters().calls(self.shared.function.as_str(), self.trigger.as_str()))
    }

    fn write(&self, record: impl FnOnce(&Record<'_>)) {
        let now = Instant::now();
        let Some(left_out) = self.shared.figures.records().take(now.into_std()) else {
            return;
        };
        if left_out > 0 {
            record::left_out(left_out);
        }
        let (function, head) = (&self.shared.function, &self.head);
        record(&Record { function, head, duration: now - head.began });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.ended();
            self.failed(&Failure::new(FailureClass::Cancelled, "the caller left"));
        }
        if let Some((mut recording, phases)) = self.span.take() {
            phases.note(&mut recording);
            recording.end();
        }
    }
}

impl<I: Invoke> Invoke for Trace<I> {
    fn invoke(&self, mut invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        let span = tracing::debug_span!(
            "invocation",
            "faas.name" = %self.shared.function,
            "faas.invocation_id" = %invocation.id,
            "trace_id" = invocation.trace.trace_id(),
        );
        let call = async move {
            let running = Running::new(&self.shared, &mut invocation);
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
