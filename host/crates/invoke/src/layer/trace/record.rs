//! The record of an invocation's end: what Lambda writes as its REPORT line.

use std::time::Duration;

use wfh_event::{Failure, FailureClass, FunctionName};

use super::Head;

/// Whoever reads records of invocations looks for this target.
const TARGET: &str = "wfh::invocation";

/// One record to be written.
pub(super) struct Record<'a> {
    pub(super) function: &'a FunctionName,
    pub(super) head: &'a Head,
    pub(super) duration: Duration,
}

/// Writes a record at a level with what every record has.
macro_rules! record {
    ($level:ident, $record:ident, { $($field:tt)* }, $message:literal) => {
        tracing::$level!(
            target: TARGET,
            function = %$record.function,
            invocation = %$record.head.id,
            $($field)*,
            duration_ms = $record.duration_ms(),
            attempt = $record.head.attempt,
            trace_id = %$record.head.trace.trace_id(),
            $message
        )
    };
}

impl Record<'_> {
    /// It went well: `items` of it, with an HTTP status if it was a request.
    pub(super) fn done(&self, status: Option<u16>, items: u64) {
        record!(debug, self, { outcome = "done", status, items }, "invocation ended");
    }

    /// It failed before its answer began.
    pub(super) fn failed(&self, failure: &Failure) {
        let (class, code) = (failure.class.as_str(), failure.class.code().as_str());
        let detail = failure.detail.as_str();
        match failure.class {
            FailureClass::Internal => {
                record!(error, self, { outcome = "failed", class, code, detail }, "invocation failed");
            }
            FailureClass::Trap | FailureClass::Timeout | FailureClass::MemoryLimit => {
                record!(warn, self, { outcome = "failed", class, code, detail }, "invocation failed");
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
                record!(debug, self, { outcome = "failed", class, code, detail }, "invocation failed");
            }
        }
    }

    /// Its answer began and did not end as it should.
    pub(super) fn broke_off(&self, class: FailureClass, status: u16) {
        let (name, code) = (class.as_str(), class.code().as_str());
        let message = "answer broke off after its headers";
        if class == FailureClass::Cancelled {
            record!(debug, self, { outcome = "failed", class = name, code, status, detail = message }, "answer broke off after its headers");
        } else {
            record!(warn, self, { outcome = "failed", class = name, code, status, detail = message }, "answer broke off after its headers");
        }
    }

    /// Milliseconds, to the microsecond.
    fn duration_ms(&self) -> f64 {
        (self.duration.as_secs_f64() * 1e6).round() / 1e3
    }
}

/// Says how many records did not fit into the second before.
pub(super) fn left_out(records: u32) {
    tracing::debug!(target: TARGET, records, "records of invocations left out");
}
