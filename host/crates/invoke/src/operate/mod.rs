//! What operators do with what is kept: look, send again, throw away. Each change and its entry in
//! the audit log are one commit.

mod audit;
mod deploys;
mod invocations;
mod letters;
mod queues;
mod schedules;

pub use audit::{Action, Actor, AuditEntry};
pub use letters::LetterFilter;
pub use queues::{QueueEntry, QueueStatus};
pub use schedules::ScheduleStatus;

use thiserror::Error;
use wfh_store::{Key, StoreError};

use crate::Durability;

/// Rows that one look may pass over in search of those that are asked for.
const ROWS_PASSED_MAX: usize = 10_000;
/// Rows that are read at once.
const ROWS_READ: u32 = 500;

/// Everything of a host that operators work on. Cheap to clone.
#[derive(Clone)]
pub struct Operator {
    host: Durability,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OperateError {
    /// It is not there, or not any more.
    #[error("{0}")]
    NotFound(String),
    /// Somebody else changed it at the same time.
    #[error("{0}")]
    Conflict(String),
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// There is no room for it now.
    #[error("{0}")]
    Full(String),
    /// The store does not answer.
    #[error("{0}")]
    Unavailable(String),
}

impl From<StoreError> for OperateError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } => {
                Self::Conflict("somebody else changed it at the same time".to_owned())
            }
            StoreError::Full { .. } => Self::Full(error.to_string()),
            StoreError::Invalid(reason) => Self::Invalid(reason),
            StoreError::Unavailable(_) => Self::Unavailable(error.to_string()),
        }
    }
}

/// Some rows and where the next ones begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<T> {
    /// What was asked for.
    pub rows: Vec<T>,
    /// Continues the listing; `None` at its end.
    pub next: Option<String>,
}

impl Operator {
    /// Works on what `host` keeps.
    #[must_use]
    pub fn new(host: Durability) -> Self {
        Self { host }
    }

    /// The rows below a prefix for which `read` gives something, after the key that ends with
    /// `after`.
    async fn rows<T>(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        read: impl Fn(&str, &[u8]) -> Option<T>,
    ) -> Result<Rows<T>, OperateError> {
        let mut cursor = after.map(|after| key(prefix, after)).transpose()?;
        let mut rows = Vec::new();
        let mut passed = 0;
        loop {
            let found = self.host.store.list(prefix, cursor.clone(), ROWS_READ).await?;
            let more = found.len() == ROWS_READ as usize;
            for (key, value) in found {
                let name = key.as_str().strip_prefix(prefix).unwrap_or_default();
                rows.extend(read(name, &value.bytes));
                passed += 1;
                let next = Some(name.to_owned());
                cursor = Some(key.clone());
                if rows.len() >= limit || passed >= ROWS_PASSED_MAX {
                    return Ok(Rows { rows, next });
                }
            }
            if !more {
                return Ok(Rows { rows, next: None });
            }
        }
    }
}

fn key(prefix: &str, name: &str) -> Result<Key, OperateError> {
    Key::new(&format!("{prefix}{name}")).map_err(|error| OperateError::Invalid(error.to_string()))
}

#[cfg(test)]
mod tests;
