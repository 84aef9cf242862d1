//! One item on its way through the layer.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wfh_event::{Event, EventId, Failure, FailureClass, InvocationId};
use wfh_store::{Claimed, Entry, Expect, Key, Lease, QueueKey};
use wfh_telemetry::TraceContext;

use super::hold::{Delivery, Hold, Outside};
use super::record::{Progress, Record, StoredClaim};
use super::retry::Condition;
use crate::{Item, Outcome, Reply, event_key, new_invocation_id};

/// Why an item must not run any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its lease ran out too often, most likely because it crashes the host.
    LeasesRanOut {
        /// How often it was received.
        receives: u32,
    },
    /// It waited in its queue longer than the queue keeps anything.
    TooOld,
}

impl Verdict {
    /// How an item ends that it is about.
    pub(crate) fn failure(self) -> (Failure, Condition) {
        let (detail, condition) = match self {
            Self::LeasesRanOut { receives } => (
                format!("received {receives} times without an end; it may crash the host"),
                Condition::RetriesExhausted,
            ),
            Self::TooOld => (
                "it waited longer than the retention of its queue".to_owned(),
                Condition::EventAgeExceeded,
            ),
        };
        (Failure::new(FailureClass::Internal, detail), condition)
    }
}

/// The item that a claimed entry holds. An HTTP function is to receive it at `path`.
#[must_use]
pub fn delivered(claimed: Claimed, path: Option<Arc<str>>) -> Item {
    let entry = claimed.entry;
    let progress = Progress::from_bytes(&entry.state);
    let record = record_of(&claimed.receipt.queue, &entry);
    let attempt = progress.attempts.saturating_add(1);
    let place = place_of(&claimed.receipt.queue, &entry);
    let item = record.item(attempt, path).unwrap_or_else(|| of_raw(&place, entry.body));
    let delivery = Delivery {
        invocation: record.invocation,
        hops: record.hops,
        progress,
        verdict: None,
        bisect: false,
        hold: Hold::Entry { receipt: claimed.receipt, record: Arc::new(record) },
    };
    Item { delivery: Some(Box::new(delivery)), ..item }
}

/// The record that an entry holds. One that this host did not write is an event all the same: it must
/// not stop the queue, and its bytes must not be lost.
pub(crate) fn record_of(queue: &QueueKey, entry: &Entry) -> Record {
    Record::from_bytes(&entry.body).unwrap_or_else(|error| {
        let mut item = of_raw(&place_of(queue, entry), entry.body.clone());
        item.event.subject = Some(error.to_string());
        Record::new(new_invocation_id(), item, 0, &TraceContext::root())
    })
}

/// The same each time an entry is delivered.
fn place_of(queue: &QueueKey, entry: &Entry) -> String {
    format!("{queue}/{}", entry.seq)
}

fn of_raw(place: &str, body: Bytes) -> Item {
    let id = EventId::new(place).unwrap_or_else(|| new_invocation_id().into());
    let event_key = event_key("wfh:queue", id.as_str());
    let mut event = Event::new(id, "wfh:queue", "wfh.entry.unreadable");
    event.data = Some(body);
    Item::new(event, event_key)
}

/// The right to record a result under a key.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) key: Key,
    pub(super) payload: String,
    pub(super) expect: Expect,
}

impl Claim {
    pub(super) fn stored(&self) -> StoredClaim {
        StoredClaim { key: self.key.to_string(), payload: self.payload.clone() }
    }
}

/// An item and what is known of it.
pub(super) struct Job {
    pub(super) index: usize,
    pub(super) item: Item,
    pub(super) delivery: Option<Delivery>,
    pub(super) progress: Progress,
    pub(super) claim: Option<Claim>,
}

impl Job {
    pub(super) fn new(index: usize, mut item: Item) -> Self {
        let delivery = item.delivery.take().map(|delivery| *delivery);
        let progress = delivery.as_ref().map(|found| found.progress.clone()).unwrap_or_default();
        Self { index, item, delivery, progress, claim: None }
    }

    pub(super) fn invocation(&self) -> Option<InvocationId> {
        self.delivery.as_ref().map(|delivery| delivery.invocation)
    }

    /// What is known of it outside the store, if it came from there.
    pub(super) fn outside(&self) -> Option<&Outside> {
        self.delivery.as_ref()?.outside()
    }

    /// The lane whose order it keeps.
    pub(super) fn lane(&self) -> Option<u64> {
        self.delivery.as_ref()?.lane()
    }

    pub(super) fn lease(&self) -> Option<&Lease> {
        match &self.claim.as_ref()?.expect {
            Expect::Lease(lease) => Some(lease),
            Expect::Any | Expect::Absent | Expect::Version(_) => None,
        }
    }

    /// Whether a call that failed as a whole is repeated in halves.
    pub(super) fn bisects(&self) -> bool {
        self.delivery.as_ref().is_some_and(|delivery| delivery.bisect)
    }

    /// The item for its next try.
    pub(super) fn next_try(&self) -> Item {
        Item { attempt: self.progress.attempts.saturating_add(1), ..self.item.clone() }
    }
}

/// How an item ended, before that is settled.
pub(super) enum End {
    /// The guest answered.
    Done(Reply),
    /// It failed for good.
    GaveUp(Failure, Condition),
    /// It runs again after this wait, which is too long for memory.
    Later(Duration),
    /// It never began.
    NotStarted(Failure),
    /// It is the repetition of a call whose end stands already.
    Duplicate(Outcome),
}

impl End {
    /// Whether the item does not run again.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Done(_) | Self::GaveUp(..) | Self::Duplicate(_) => true,
            Self::Later(_) | Self::NotStarted(_) => false,
        }
    }
}

/// The failure of an item that comes after one of its lane which runs again.
pub(crate) fn behind() -> Failure {
    Failure::new(FailureClass::Cancelled, "what comes before it in its lane runs again")
}

/// A set of lanes; what has no lane is in none.
#[derive(Default)]
pub(super) struct Lanes(HashSet<u64>);

impl Lanes {
    pub(super) fn add(&mut self, lane: Option<u64>) {
        self.0.extend(lane);
    }

    pub(super) fn hold(&self, lane: Option<u64>) -> bool {
        lane.is_some_and(|lane| self.0.contains(&lane))
    }
}
