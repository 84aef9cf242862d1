//! How an invocation fails: one class owns whether it is retried, counted and how it is shown.

use std::fmt;
use std::time::Duration;

use crate::ErrorCode;

/// The status of the span of an invocation that failed with a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanStatus {
    /// The host and the function did what they should; the caller is at fault or left.
    Unset,
    /// The invocation failed.
    Error,
}

/// The line of an error that says what it is: the last cause under a backtrace, else the first.
#[must_use]
pub fn gist(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match text.contains("Caused by:") {
        true => lines.next_back().unwrap_or_default(),
        false => lines.next().unwrap_or_default(),
    }
}

/// Why an invocation failed, as far as policy is concerned. Match it exhaustively, without `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The event or request is not well formed.
    Invalid,
    /// The guest says: never retry.
    Rejected,
    /// The guest says: retry later.
    Guest,
    /// The guest trapped, exited or gave no response.
    Trap,
    /// The deadline passed.
    Timeout,
    /// The guest was denied memory and ended in a trap.
    MemoryLimit,
    /// The payload is over a size limit.
    TooLarge,
    /// A call with the same key is in flight.
    Conflict,
    /// The key was used with another payload.
    Mismatch,
    /// The function is at its limit; the call never started.
    Busy,
    /// The host is at its limit, draining, or a breaker is open; the call never started.
    Unavailable,
    /// The caller left. Not an attempt, not counted.
    Cancelled,
    /// The host failed.
    Internal,
}

impl FailureClass {
    /// Every class, in the order of their codes.
    pub const ALL: &[Self] = &[
        Self::Invalid,
        Self::Rejected,
        Self::Guest,
        Self::Trap,
        Self::Timeout,
        Self::MemoryLimit,
        Self::TooLarge,
        Self::Conflict,
        Self::Mismatch,
        Self::Busy,
        Self::Unavailable,
        Self::Cancelled,
        Self::Internal,
    ];

    /// Whether another attempt could end better.
    #[must_use]
    pub const fn is_retried(self) -> bool {
        match self {
            Self::Guest
            | Self::Trap
            | Self::Timeout
            | Self::MemoryLimit
            | Self::Conflict
            | Self::Busy
            | Self::Unavailable
            | Self::Cancelled
            | Self::Internal => true,
            Self::Invalid | Self::Rejected | Self::TooLarge | Self::Mismatch => false,
        }
    }

    /// Whether the call never began because something is at its limit: it costs no try, and who
    /// pulls should pause.
    #[must_use]
    pub const fn is_pressure(self) -> bool {
        match self {
            Self::Busy | Self::Unavailable => true,
            Self::Invalid
            | Self::Rejected
            | Self::Guest
            | Self::Trap
            | Self::Timeout
            | Self::MemoryLimit
            | Self::TooLarge
            | Self::Conflict
            | Self::Mismatch
            | Self::Cancelled
            | Self::Internal => false,
        }
    }

    /// Whether the guest broke off, so that of a batch no event has an answer of its own.
    #[must_use]
    pub const fn breaks_off(self) -> bool {
        match self {
            Self::Trap | Self::Timeout | Self::MemoryLimit => true,
            Self::Invalid
            | Self::Rejected
            | Self::Guest
            | Self::TooLarge
            | Self::Conflict
            | Self::Mismatch
            | Self::Busy
            | Self::Unavailable
            | Self::Cancelled
            | Self::Internal => false,
        }
    }

    /// Whether the breaker of the function counts it as a failure.
    #[must_use]
    pub const fn is_counted_by_breaker(self) -> bool {
        match self {
            Self::Guest | Self::Trap | Self::Timeout | Self::MemoryLimit => true,
            Self::Invalid
            | Self::Rejected
            | Self::TooLarge
            | Self::Conflict
            | Self::Mismatch
            | Self::Busy
            | Self::Unavailable
            | Self::Cancelled
            | Self::Internal => false,
        }
    }

    /// The HTTP status a caller sees.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Rejected | Self::Mismatch => 422,
            Self::Guest | Self::Unavailable => 503,
            Self::Trap | Self::MemoryLimit => 502,
            Self::Timeout => 504,
            Self::TooLarge => 413,
            Self::Conflict => 409,
            Self::Busy => 429,
            // Nobody is there to see it; 499 is what access logs call it.
            Self::Cancelled => 499,
            Self::Internal => 500,
        }
    }

    /// The status of the invocation's span.
    #[must_use]
    pub const fn span_status(self) -> SpanStatus {
        match self {
            Self::Guest
            | Self::Trap
            | Self::Timeout
            | Self::MemoryLimit
            | Self::Unavailable
            | Self::Internal => SpanStatus::Error,
            Self::Invalid
            | Self::Rejected
            | Self::TooLarge
            | Self::Conflict
            | Self::Mismatch
            | Self::Busy
            | Self::Cancelled => SpanStatus::Unset,
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Invalid => ErrorCode::Invalid,
            Self::Rejected => ErrorCode::Rejected,
            Self::Guest => ErrorCode::Guest,
            Self::Trap => ErrorCode::Trap,
            Self::Timeout => ErrorCode::Timeout,
            Self::MemoryLimit => ErrorCode::MemoryLimit,
            Self::TooLarge => ErrorCode::TooLarge,
            Self::Conflict => ErrorCode::Conflict,
            Self::Mismatch => ErrorCode::Mismatch,
            Self::Busy => ErrorCode::Busy,
            Self::Unavailable => ErrorCode::Unavailable,
            Self::Cancelled => ErrorCode::Cancelled,
            Self::Internal => ErrorCode::Internal,
        }
    }

    /// The `error.type` of spans and metrics: lower case, words joined by `_`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Rejected => "rejected",
            Self::Guest => "guest",
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::MemoryLimit => "memory_limit",
            Self::TooLarge => "too_large",
            Self::Conflict => "conflict",
            Self::Mismatch => "mismatch",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One failed invocation: its class, and what operators (never callers) may read about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What policy looks at.
    pub class: FailureClass,
    /// For logs and dead letters. It may hold internals and is not shown to HTTP callers, except
    /// the reason of a [`FailureClass::Rejected`] or [`FailureClass::Guest`], which the guest wrote
    /// for them.
    pub detail: String,
    /// When another attempt makes sense, if the failure knows.
    pub retry_after: Option<Duration>,
    /// The end of what the guest printed, if that was kept. For operators.
    pub log_tail: Option<Box<str>>,
    /// Whether this is how an earlier, equal call failed.
    pub replayed: bool,
}

impl Failure {
    /// A failure that does not say when to come back.
    pub fn new(class: FailureClass, detail: impl Into<String>) -> Self {
        Self { class, detail: detail.into(), retry_after: None, log_tail: None, replayed: false }
    }

    /// The same failure, with the time after which another attempt makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.detail)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_class_has_a_code_and_a_name_of_its_own() {
        let codes: HashSet<_> = FailureClass::ALL.iter().map(|class| class.code()).collect();
        let names: HashSet<_> = FailureClass::ALL.iter().map(|class| class.as_str()).collect();
        assert_eq!(codes.len(), FailureClass::ALL.len(), "two classes share a code");
        assert_eq!(names.len(), FailureClass::ALL.len(), "two classes share a name");
    }

    #[test]
    fn what_never_started_is_not_held_against_the_function() {
        for class in [FailureClass::Busy, FailureClass::Unavailable, FailureClass::Cancelled] {
            assert!(!class.is_counted_by_breaker(), "{class} must not open a breaker");
        }
    }
}
