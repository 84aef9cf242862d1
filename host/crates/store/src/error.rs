//! Why a store did not do what it was asked.

use thiserror::Error;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// An expectation did not hold: the key has another version, or the lease or receipt is no
    /// longer this holder's. Nothing was written.
    #[error("operation {op} of the commit found something else than it expected")]
    Conflict {
        /// Which operation, counted from 0.
        op: usize,
    },
    /// The queue holds as many entries as it may. Nothing was written.
    #[error("the queue `{queue}` holds as many entries as it may")]
    Full {
        /// The queue.
        queue: String,
    },
    /// The operation makes no sense, such as incrementing a text. Nothing was written.
    #[error("{0}")]
    Invalid(String),
    /// The backend cannot take it now: its disk is full, its server is away.
    #[error("the store is not available: {0}")]
    Unavailable(String),
}
