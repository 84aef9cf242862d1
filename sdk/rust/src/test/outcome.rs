//! What a test looks at afterwards.

use std::collections::{BTreeMap, BTreeSet};

use tracing::Level;

use crate::log::LogRecord;
use crate::{BatchReply, Error, Outgoing};

/// What became of a batch.
///
/// ```
/// use wfh::test::{Delivery, Host};
/// # use wfh::{BatchReply, Event, Result};
/// # async fn handle(_: Vec<Event<u32>>) -> Result<BatchReply> { Ok(BatchReply::new()) }
///
/// let outcome = Host::new().batch(handle, ["1", "two"].map(Delivery::json));
/// assert!(outcome.failed()[&1].is_rejection());
/// assert!(outcome.emitted().is_empty());
/// ```
#[derive(Debug)]
pub struct BatchOutcome {
    failed: BTreeMap<u32, Error>,
    emitted: Vec<Outgoing>,
}

impl BatchOutcome {
    pub(super) fn new(reply: BatchReply) -> Self {
        let failed: BTreeMap<u32, Error> = reply.failed.into_iter().collect();
        let dropped: BTreeSet<u32> = failed.keys().copied().collect();
        let kept = reply.emit.into_iter().filter(|(index, _)| !dropped.contains(index));
        Self { emitted: kept.map(|(_, outgoing)| outgoing).collect(), failed }
    }

    /// The events that failed, by their place in the batch.
    ///
    /// ```
    /// fn all_well(outcome: &wfh::test::BatchOutcome) -> bool { outcome.failed().is_empty() }
    /// ```
    #[must_use]
    pub fn failed(&self) -> &BTreeMap<u32, Error> {
        &self.failed
    }

    /// What the events that succeeded emit.
    ///
    /// ```
    /// fn count(outcome: &wfh::test::BatchOutcome) -> usize { outcome.emitted().len() }
    /// ```
    #[must_use]
    pub fn emitted(&self) -> &[Outgoing] {
        &self.emitted
    }
}

/// One log record.
///
/// ```
/// let host = wfh::test::Host::new();
/// host.run(async { wfh::tracing::warn!(order = 7, "late") });
/// let logs = host.logs();
/// assert_eq!((logs[0].message.as_str(), logs[0].field("order")), ("late", Some("7")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// The part of the program.
    pub target: String,
    /// The text.
    pub message: String,
    /// Its fields, those of the spans around it included.
    pub fields: Vec<(String, String)>,
}

impl LogLine {
    /// A field, by name.
    ///
    /// ```
    /// fn order(line: &wfh::test::LogLine) -> Option<&str> { line.field("order") }
    /// ```
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl From<LogRecord> for LogLine {
    fn from(record: LogRecord) -> Self {
        let LogRecord { level, target, message, fields } = record;
        Self { level, target, message, fields }
    }
}
