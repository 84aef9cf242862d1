//! The operations of a commit.

use std::time::Duration;

use bytes::Bytes;

use crate::{BYTES_MAX, Key, Lease, OPS_MAX, QueueKey, Receipt, StoreError};

/// What must hold of a key for the commit to go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Any,
    /// It has no value.
    Absent,
    /// It has a value of this version.
    Version(u64),
    /// It has no value, and this lease of it is live. Writing the key ends the lease.
    Lease(Lease),
}

/// One operation of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Sets a key, for ever or for `ttl`. Effect: [`Effect::Version`].
    Put {
        /// The key.
        key: Key,
        /// The value.
        bytes: Bytes,
        /// What must hold before.
        expect: Expect,
        /// How long it stays.
        ttl: Option<Duration>,
    },
    /// Removes a key; with [`Expect::Any`] an absent one is no conflict. Effect:
    /// [`Effect::Removed`].
    Delete {
        /// The key.
        key: Key,
        /// What must hold before.
        expect: Expect,
    },
    /// Changes nothing, but must hold. Effect: [`Effect::Done`].
    Check {
        /// The key.
        key: Key,
        /// What must hold.
        expect: Expect,
    },
    /// Adds to a decimal number, keeping its time to live; an absent one counts as 0. A value that
    /// is no number, or a sum beyond 64 bits, is invalid. Effect: [`Effect::Sum`].
    Increment {
        /// The key.
        key: Key,
        /// What to add.
        delta: i64,
    },
    /// Adds an entry to a queue. Effect: [`Effect::Appended`] or [`Effect::Duplicate`].
    Append(Append),
    /// Removes an entry that is claimed. It conflicts unless the receipt is the entry's newest. A
    /// lease that ran out is no conflict as long as nobody claimed the entry again. Effect:
    /// [`Effect::Done`].
    Ack(Receipt),
    /// Gives a claimed entry back, to be claimed again after `delay`; the claim then does not count
    /// in `receives`. It conflicts as [`Op::Ack`] does. Effect: [`Effect::Done`].
    Release {
        /// The claim.
        receipt: Receipt,
        /// How long nobody gets it.
        delay: Duration,
        /// Replaces the entry's state.
        state: Option<Bytes>,
    },
    /// Removes an entry whoever holds it. Effect: [`Effect::Removed`].
    Remove {
        /// The queue.
        queue: QueueKey,
        /// The entry.
        seq: u64,
    },
}

/// An entry to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The queue.
    pub queue: QueueKey,
    /// What the entry is called; several may be called the same.
    pub id: String,
    /// The payload; it never changes.
    pub body: Bytes,
    /// A small record that a release may replace.
    pub state: Bytes,
    /// Entries of one group are claimed one at a time, in the order of their appends.
    pub group: Option<String>,
    /// How long nobody gets it.
    pub delay: Duration,
    /// The most entries the queue may have afterwards; without it there is no bound.
    pub depth_max: Option<u64>,
    /// An entry with an `id` that was appended to this queue within this time is not appended
    /// again.
    pub dedup: Option<Duration>,
}

impl Append {
    /// An entry without group, delay, bound or deduplication.
    pub fn new(queue: QueueKey, id: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            queue,
            id: id.into(),
            body: body.into(),
            state: Bytes::new(),
            group: None,
            delay: Duration::ZERO,
            depth_max: None,
            dedup: None,
        }
    }
}

/// What an operation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The key has this version now.
    Version(u64),
    /// Whether something was there.
    Removed(bool),
    /// The number is this now.
    Sum(i64),
    /// The entry has this number in its queue.
    Appended(u64),
    /// An equal entry was appended not long ago.
    Duplicate,
    /// Nothing to tell.
    Done,
}

/// Refuses what no backend takes.
///
/// # Errors
/// Too many operations, or one that is too large.
pub fn check(ops: &[Op]) -> Result<(), StoreError> {
    if ops.len() > OPS_MAX {
        let reason = format!("a commit of {} operations; at most {OPS_MAX}", ops.len());
        return Err(StoreError::Invalid(reason));
    }
    let largest = ops.iter().map(|op| match op {
        Op::Put { bytes, .. } => bytes.len(),
        Op::Append(append) => append.body.len().max(append.state.len()),
        Op::Release { state, .. } => state.as_ref().map_or(0, Bytes::len),
        Op::Delete { .. }
        | Op::Check { .. }
        | Op::Increment { .. }
        | Op::Ack(_)
        | Op::Remove { .. } => 0,
    });
    match largest.max() {
        Some(bytes) if bytes > BYTES_MAX => {
            Err(StoreError::Invalid(format!("a value of {bytes} bytes; at most {BYTES_MAX}")))
        }
        _ => Ok(()),
    }
}
