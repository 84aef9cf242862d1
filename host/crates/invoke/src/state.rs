//! State that functions keep between invocations: the port behind `wfh:function/state` and
//! `wasi:keyvalue`.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use thiserror::Error;

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateEntry {
    /// The bytes that were set.
    pub value: Bytes,
    /// Another one after each write.
    pub version: u64,
}

/// Some keys, in the order of their bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatePage {
    /// The keys.
    pub keys: Vec<String>,
    /// What continues the listing; `None` at its end.
    pub next: Option<String>,
}

/// Why nothing was read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StateError {
    /// The cursor is not one of ours, or the value is not a number to increment.
    #[error("{0}")]
    Invalid(String),
    /// The store does not answer.
    #[error("{0}")]
    Unavailable(String),
}

/// The result of an operation on state.
pub type StateResult<'a, T> = BoxFuture<'a, Result<T, StateError>>;

/// Keys and values of one app. Callers hold keys and values to their bounds; an implementation
/// need not check them again.
pub trait StateStore: Send + Sync {
    /// What a key holds, if it holds anything and its time is not over.
    fn get<'a>(&'a self, key: &'a str) -> StateResult<'a, Option<StateEntry>>;

    /// Sets a key for ever, or for `ttl`, and gives its new version.
    fn set<'a>(&'a self, key: &'a str, value: Bytes, ttl: Option<Duration>)
    -> StateResult<'a, u64>;

    /// Sets a key that has version `expected`, or that is absent when `expected` is. Gives the new
    /// version, or `None` when the key has another one.
    fn compare_and_set<'a>(
        &'a self,
        key: &'a str,
        expected: Option<u64>,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> StateResult<'a, Option<u64>>;

    /// Removes a key; true if it was there.
    fn delete<'a>(&'a self, key: &'a str) -> StateResult<'a, bool>;

    /// Adds to a number held as decimal text and gives the sum, in one step. An absent key counts
    /// as 0. A sum beyond `i64` is `Invalid`.
    fn increment<'a>(&'a self, key: &'a str, delta: i64) -> StateResult<'a, i64>;

    /// At most `limit` keys that begin with `prefix`, from where the last page's `next` says.
    fn list<'a>(
        &'a self,
        prefix: &'a str,
        cursor: Option<&'a str>,
        limit: u32,
    ) -> StateResult<'a, StatePage>;
}
