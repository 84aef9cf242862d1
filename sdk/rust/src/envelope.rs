//! What the SDK and the host pass each other, in plain values: the WIT's records, and not its types,
//! so that handlers run where there is no host.

use std::rc::Rc;
use std::time::{Duration, Instant};

/// A CloudEvent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) event_type: String,
    pub(crate) subject: Option<String>,
    pub(crate) time: Option<String>,
    pub(crate) datacontenttype: Option<String>,
    pub(crate) dataschema: Option<String>,
    pub(crate) extensions: Vec<(String, String)>,
    pub(crate) data: Option<Vec<u8>>,
}

/// An event on its way to a handler.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) event: Envelope,
    pub(crate) attempt: u32,
    pub(crate) event_key: String,
    pub(crate) traceparent: Option<String>,
    pub(crate) tracestate: Option<String>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) attributes: Vec<(String, String)>,
}

/// What the host says about the call: its id, how many attempts there are, and the time left.
///
/// ```
/// use wfh::{Context, Result, RetryAfter};
/// use std::time::Duration;
///
/// fn enough_time(context: &Context) -> Result<()> {
///     if context.remaining() < Duration::from_millis(200) {
///         return Err(RetryAfter::new(Duration::ZERO, "no time left").into());
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Context(Rc<Call>);

#[derive(Debug)]
struct Call {
    invocation_id: String,
    attempts_max: u32,
    deadline: Option<Instant>,
}

impl Context {
    pub(crate) fn new(invocation_id: String, attempts_max: u32, remaining: Duration) -> Self {
        // The deadline does not move, so the host is asked once and not at each look.
        let deadline = Instant::now().checked_add(remaining);
        Self(Rc::new(Call { invocation_id, attempts_max, deadline }))
    }

    /// The id that logs, traces and answers of this call carry.
    ///
    /// ```
    /// fn note(context: &wfh::Context) {
    ///     wfh::tracing::info!(invocation = context.invocation_id(), "started");
    /// }
    /// ```
    #[must_use]
    pub fn invocation_id(&self) -> &str {
        &self.0.invocation_id
    }

    /// How many attempts there are in all, the first one included.
    ///
    /// ```
    /// fn is_last(context: &wfh::Context, attempt: u32) -> bool {
    ///     attempt >= context.attempts_max()
    /// }
    /// ```
    #[must_use]
    pub fn attempts_max(&self) -> u32 {
        self.0.attempts_max
    }

    /// What is left until the deadline of this attempt; zero once it has passed.
    ///
    /// ```
    /// fn half(context: &wfh::Context) -> std::time::Duration {
    ///     context.remaining() / 2
    /// }
    /// ```
    #[must_use]
    pub fn remaining(&self) -> Duration {
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        self.0.deadline.map_or(Duration::MAX, left)
    }
}
