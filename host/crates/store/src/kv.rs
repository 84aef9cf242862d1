//! Values under keys, and leases on keys.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{Key, StoreError};

/// A value as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// What was put.
    pub bytes: Bytes,
    /// Another one after each write of the key, and never one that the key had before.
    pub version: u64,
    /// When it is gone, in milliseconds since 1970.
    pub expires_at_ms: Option<u64>,
}

/// The right to write a key, held for a time. A holder that was too slow is told so by a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The key.
    pub key: Key,
    /// Distinguishes this holder from all before and after.
    pub token: u64,
}

/// What came of asking for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leased {
    /// It is the caller's.
    Acquired(Lease),
    /// Somebody else holds it.
    Held,
    /// The key has a value, so there is nothing to lease.
    Present(Value),
}

/// Reads, and leases. Writes go through [`crate::Store::commit`].
///
/// - A value whose time is over MUST be as absent as one that was deleted, for every read and every
///   expectation.
/// - A read MUST see every commit that resolved before it began.
pub trait Kv: Send + Sync {
    /// What a key holds.
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Value>, StoreError>>;

    /// The values whose keys begin with `prefix` and come after `after`, at most `limit`, in the
    /// order of the keys' bytes.
    fn list(
        &self,
        prefix: &str,
        after: Option<Key>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<(Key, Value)>, StoreError>>;

    /// Leases a key that has no value, for `ttl`.
    ///
    /// - There MUST never be two live leases of one key.
    /// - A lease is live until its `ttl` is over, it was given back, or a commit that expects it
    ///   ([`crate::Expect::Lease`]) wrote the key.
    /// - A backend that only one process opens MUST forget all leases when it opens; for others a
    ///   lease lives on until its `ttl` is over.
    fn lease(&self, key: Key, ttl: Duration) -> BoxFuture<'_, Result<Leased, StoreError>>;

    /// Makes a lease last `ttl` from now. False: it is no longer the caller's.
    fn renew(&self, lease: &Lease, ttl: Duration) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Gives a lease back; one that is somebody else's by now is left alone.
    fn give_back(&self, lease: &Lease) -> BoxFuture<'_, Result<(), StoreError>>;
}
