//! One span per event, and one log record per failure.

use futures_util::future::BoxFuture;
use tracing::Instrument;
use wfh_event::{Failure, FailureClass, FunctionName, InvocationId};

use crate::{End, Invocation, Invoke, Outcome, Reply};

/// The outermost layer: everything below runs in the invocation's span.
pub struct Trace<I> {
    inner: I,
    function: FunctionName,
}

impl<I> Trace<I> {
    /// Traces the calls of `function` through `inner`.
    pub fn new(inner: I, function: FunctionName) -> Self {
        Self { inner, function }
    }

    fn record(&self, id: InvocationId, outcomes: &mut [Outcome]) {
        for outcome in outcomes {
            match outcome {
                Outcome::Failed(failure) => log_failure(&self.function, id, failure),
                Outcome::Done(Reply::Http(_, tail)) => {
                    let function = self.function.clone();
                    tail.on_end(move |end| log_end(&function, id, end));
                }
                Outcome::Done(Reply::Event(_)) | Outcome::Deferred { .. } => {}
            }
        }
    }
}

impl<I: Invoke> Invoke for Trace<I> {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>> {
        let id = invocation.id;
        let span = tracing::debug_span!(
            "invocation",
            "faas.name" = %self.function,
            "faas.invocation_id" = %id,
            "trace_id" = invocation.trace.trace_id(),
        );
        let call = async move {
            let mut outcomes = self.inner.invoke(invocation).await;
            self.record(id, &mut outcomes);
            outcomes
        };
        // A disabled span must cost nothing on the way of an event.
        if span.is_disabled() { Box::pin(call) } else { Box::pin(call.instrument(span)) }
    }
}

fn log_failure(function: &FunctionName, id: InvocationId, failure: &Failure) {
    let (class, code) = (failure.class.as_str(), failure.class.code().as_str());
    let detail = failure.detail.as_str();
    match failure.class {
        FailureClass::Internal => {
            tracing::error!(%function, invocation = %id, class, code, detail, "invocation failed");
        }
        FailureClass::Trap | FailureClass::Timeout | FailureClass::MemoryLimit => {
            tracing::warn!(%function, invocation = %id, class, code, detail, "invocation failed");
        }
        FailureClass::Invalid
        | FailureClass::Rejected
        | FailureClass::Guest
        | FailureClass::TooLarge
        | FailureClass::Conflict
        | FailureClass::Mismatch
        | FailureClass::Busy
        | FailureClass::Unavailable
        | FailureClass::Cancelled => {
            tracing::debug!(%function, invocation = %id, class, code, detail, "invocation failed");
        }
    }
}

fn log_end(function: &FunctionName, id: InvocationId, end: &End) {
    if let End::Failed(class) = end {
        let (class, code) = (class.as_str(), class.code().as_str());
        tracing::warn!(%function, invocation = %id, class, code, "answer broke off after its headers");
    }
}
