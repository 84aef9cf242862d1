//! Durable state: what a backend must do, written as contracts.
//!
//! Layer L1. This crate must not know a backend, a function or an event: it stores bytes under keys
//! and in queues. Its main types are the ports [`Kv`] and [`Queue`] and the one write path,
//! [`Store::commit`]. `conformance` holds the tests that every backend passes, `memory` a backend
//! without a disk for tests of policy.
//!
//! Times are given as durations and kept in a backend's [`Steady`] time: a wall clock that steps
//! back MUST NOT hide what could be claimed or revive what was over.

mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod crash;
mod error;
mod kv;
#[cfg(feature = "memory")]
pub mod memory;
mod name;
mod op;
mod queue;
#[cfg(feature = "transfer")]
pub mod transfer;

pub use clock::{Clock, ManualClock, Now, Steady, SystemClock};
pub use error::StoreError;
pub use kv::{Kv, Lease, Leased, Value};
pub use name::{Key, NameTooLong, QueueKey};
pub use op::{Append, Effect, Expect, Op, check};
pub use queue::{Claim, Claimed, Depth, Entry, Queue, Receipt};

use futures_util::future::BoxFuture;

/// The most bytes that a value, or the body of an entry, may have.
pub const BYTES_MAX: usize = 64 << 20;

/// The most operations of one commit.
pub const OPS_MAX: usize = 10_000;

/// A backend. All of it is cancel-safe: a dropped future leaves the store as if it had finished or
/// never begun, and nothing between.
pub trait Store: Kv + Queue {
    /// Applies all of `ops`, in their order, or none of them, and gives one effect each.
    ///
    /// - It MUST be atomic: no reader and no crash ever sees a part.
    /// - It MUST be durable when it resolves, as far as the backend promises durability at all.
    /// - Each operation MUST see the effects of those before it.
    /// - Commits MUST be serializable: two that expect the same absence never both succeed.
    /// - More than [`OPS_MAX`] operations, or more than [`BYTES_MAX`] in one of them, MUST be
    ///   refused as invalid; [`check`] does it. An empty commit MUST succeed.
    ///
    /// # Errors
    /// See [`StoreError`]. After `Unavailable` from a remote backend the commit may have been
    /// applied; after any other error it was not.
    fn commit(&self, ops: Vec<Op>) -> BoxFuture<'_, Result<Vec<Effect>, StoreError>>;
}
