//! Where a pulled item is held until it is settled: in a queue of the store, or at a source outside.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wfh_event::{InvocationId, Target};
use wfh_store::{Expect, Key, Op, Receipt};

use super::job::Verdict;
use super::record::{Progress, Record};
use crate::queue_key;

/// The keys that say that a record of a source outside is settled begin with it.
const SETTLED: &str = "settled/";
/// The keys that say how far a record of an ordered lane has come begin with it.
const PROGRESS: &str = "progress/";

/// How an item was pulled, and how it is settled.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Identifies the invocation.
    pub invocation: InvocationId,
    /// How many functions it has come through.
    pub hops: u8,
    /// How far it has come.
    pub progress: Progress,
    /// Set when the item must not run any more.
    pub verdict: Option<Verdict>,
    /// Whether a call that failed as a whole is repeated in halves, to find the item that it fails
    /// for.
    pub bisect: bool,
    /// Who has it until it is settled.
    pub hold: Hold,
}

/// Who has an item until it is settled.
#[derive(Debug, Clone)]
pub enum Hold {
    /// A queue of the store.
    Entry {
        /// Proves the claim; the commit that settles the item acknowledges with it.
        receipt: Receipt,
        /// The entry's body.
        record: Arc<Record>,
    },
    /// A source outside, which is told after the commit.
    Outside(Outside),
}

/// A record of a source outside the store.
#[derive(Debug, Clone)]
pub struct Outside {
    /// The trigger, and the part of its source in which positions are unique: `TRIGGER/TOPIC/0`.
    pub source: Arc<str>,
    /// Its position there.
    pub position: u128,
    /// Records of one lane are settled in their order, and wait in it. One without a lane waits in
    /// the queue of its function.
    pub lane: Option<u64>,
    /// What becomes of it.
    pub fate: Arc<Fate>,
}

/// What became of a record, for the trigger that pulled it.
#[derive(Debug, Default)]
pub struct Fate {
    settled: AtomicBool,
    marked: AtomicBool,
    progress: Mutex<Option<Progress>>,
}

impl Fate {
    /// Whether the source may be told to forget the record.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// Whether the store says so as well, under [`settled_key`].
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.marked.load(Ordering::Acquire)
    }

    /// How far it came, if it runs again.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn settle(&self, marked: bool) {
        self.marked.store(marked, Ordering::Release);
        self.settled.store(true, Ordering::Release);
    }

    pub(super) fn runs_again(&self, progress: &Progress) {
        let mut kept = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(progress.clone());
    }
}

/// The prefix of the keys that say which records of a source are settled.
#[must_use]
pub fn settled_prefix(source: &str) -> String {
    format!("{SETTLED}{source}/")
}

/// The key that says that a record is settled; `None` for a source with too long a name.
#[must_use]
pub fn settled_key(source: &str, position: u128) -> Option<Key> {
    Key::new(&format!("{}{position:032x}", settled_prefix(source))).ok()
}

/// The prefix of the keys that say how far records of a source have come.
#[must_use]
pub fn progress_prefix(source: &str) -> String {
    format!("{PROGRESS}{source}/")
}

/// The key under which it is kept how far a record of an ordered lane has come.
#[must_use]
pub fn progress_key(source: &str, position: u128) -> Option<Key> {
    Key::new(&format!("{}{position:032x}", progress_prefix(source))).ok()
}

impl Outside {
    /// The write that says that the record is settled. A second one conflicts: whoever lost the
    /// record to another consumer settles nothing.
    pub(crate) fn mark(&self) -> Option<Op> {
        let key = settled_key(&self.source, self.position)?;
        Some(Op::Put { key, bytes: bytes::Bytes::new(), expect: Expect::Absent, ttl: None })
    }

    /// The write of how far it has come, for the time that it may take.
    pub(super) fn keep(&self, progress: &Progress, ttl: Duration) -> Option<Op> {
        let key = progress_key(&self.source, self.position)?;
        Some(Op::Put { key, bytes: progress.to_bytes(), expect: Expect::Any, ttl: Some(ttl) })
    }
}

impl Delivery {
    /// The source outside, if it came from one.
    #[must_use]
    pub fn outside(&self) -> Option<&Outside> {
        match &self.hold {
            Hold::Entry { .. } => None,
            Hold::Outside(outside) => Some(outside),
        }
    }

    /// The queue in the store to which it can be sent back: the one that it came out of, or that of
    /// its target.
    pub(crate) fn queue(&self, target: &Target) -> String {
        match &self.hold {
            Hold::Entry { receipt, .. } => receipt.queue.to_string(),
            Hold::Outside(_) => queue_key(target).map(|key| key.to_string()).unwrap_or_default(),
        }
    }

    /// The proof of the claim, if it came out of a queue.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        match &self.hold {
            Hold::Entry { receipt, .. } => Some(receipt),
            Hold::Outside(_) => None,
        }
    }

    /// The lane whose order it keeps.
    pub(crate) fn lane(&self) -> Option<u64> {
        self.outside()?.lane
    }

    /// The entry's body, if it came out of a queue.
    pub(crate) fn stored(&self) -> Option<&Arc<Record>> {
        match &self.hold {
            Hold::Entry { record, .. } => Some(record),
            Hold::Outside(_) => None,
        }
    }

    /// Adds to a commit that settles the item what it takes for that. An outside record whose end
    /// changes nothing needs no mark.
    pub(crate) fn acknowledge(&self, ops: &mut Vec<Op>) {
        match &self.hold {
            Hold::Entry { receipt, .. } => ops.push(Op::Ack(receipt.clone())),
            Hold::Outside(_) if ops.is_empty() => {}
            Hold::Outside(outside) => ops.extend(outside.mark()),
        }
    }
}
