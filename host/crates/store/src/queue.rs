//! Entries in queues, claimed under leases.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{QueueKey, StoreError};

/// An entry as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number in its queue: later appends have greater ones.
    pub seq: u64,
    /// What it is called.
    pub id: String,
    /// The payload.
    pub body: Bytes,
    /// The record that the last release left, or the append.
    pub state: Bytes,
    /// Entries of one group are claimed one at a time, in order.
    pub group: Option<String>,
    /// When it was appended, in milliseconds since 1970.
    pub appended_at_ms: u64,
    /// When its delay or its lease is over, in milliseconds since 1970. What waits behind the head
    /// of its group waits for that as well.
    pub due_at_ms: u64,
    /// How often it was claimed and not released, this claim included.
    pub receives: u32,
}

/// Proves a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The queue.
    pub queue: QueueKey,
    /// The entry.
    pub seq: u64,
    /// The fencing token: greater for each later claim of the entry.
    pub token: u64,
}

/// A claimed entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Proves it.
    pub receipt: Receipt,
    /// What was claimed.
    pub entry: Entry,
}

/// How much to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The most entries.
    pub entries_max: u32,
    /// The most bytes of bodies; the first entry is given whatever it has.
    pub bytes_max: u64,
    /// How long nobody else gets them.
    pub visibility: Duration,
}

/// What a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Entries, claimed ones included.
    pub entries: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Entries that are claimed now.
    pub claimed: u64,
    /// When the oldest was appended, in milliseconds since 1970.
    pub oldest_at_ms: Option<u64>,
}

/// Claims and looks. Entries come and go through [`crate::Store::commit`].
///
/// - An entry MUST never have two holders whose leases are live at once.
/// - An entry that was neither acknowledged nor removed MUST become claimable again when its lease
///   runs out, at the latest when the store is opened again.
/// - Entries MUST be claimed in the order in which they became claimable, ties in the order of
///   their appends; one that its group hid becomes claimable when it is the first and its delay is
///   over. The first entry of a group that is not acknowledged hides the
///   group's others, also while it waits for its delay.
/// - Claiming MUST NOT cost more the more entries wait.
/// - An acknowledged or removed entry MUST NOT be seen again.
pub trait Queue: Send + Sync {
    /// Claims what is claimable now; nothing is no error. The number of times an entry was claimed
    /// survives a crash of the process.
    fn claim(
        &self,
        queue: QueueKey,
        claim: Claim,
    ) -> BoxFuture<'_, Result<Vec<Claimed>, StoreError>>;

    /// Makes leases last `visibility` from now. One answer per receipt; false: it is no longer the
    /// caller's.
    fn extend(
        &self,
        receipts: Vec<Receipt>,
        visibility: Duration,
    ) -> BoxFuture<'_, Result<Vec<bool>, StoreError>>;

    /// Resolves when something in the queue may be claimable: at once if it is now, otherwise
    /// after an append, a release, a delay or a lease that is over. It may be wrong in that nothing
    /// is there, never in that something is.
    fn claimable(&self, queue: QueueKey) -> BoxFuture<'_, Result<(), StoreError>>;

    /// What the queue holds. It MUST NOT cost more the more entries wait.
    fn depth(&self, queue: QueueKey) -> BoxFuture<'_, Result<Depth, StoreError>>;

    /// Entries with numbers above `after`, at most `limit`, by number; claimed and delayed ones
    /// too.
    fn peek(
        &self,
        queue: QueueKey,
        after: Option<u64>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<Entry>, StoreError>>;

    /// The queues that hold something, by name.
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueKey>, StoreError>>;
}
