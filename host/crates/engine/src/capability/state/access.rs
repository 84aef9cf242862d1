//! The app's state as a guest may use it: granted, and within its bounds.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wfh_invoke::{StateEntry, StateError, StatePage, StateStore};

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 1024;
/// The largest value, in bytes.
const VALUE_BYTES_MAX: usize = 1 << 20;
/// The most keys of one page.
pub(crate) const PAGE_KEYS_MAX: u32 = 1000;

/// Why nothing was read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The manifest does not grant it.
    Denied,
    /// Something is not within its bounds.
    Invalid(String),
    /// There is no answer now.
    Unavailable(String),
}

impl From<StateError> for Refused {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Invalid(detail) => Self::Invalid(detail),
            StateError::Unavailable(detail) => Self::Unavailable(detail),
        }
    }
}

type Result<T> = std::result::Result<T, Refused>;

/// The store, behind its bounds.
#[derive(Clone)]
pub(crate) struct Access(pub(crate) Arc<dyn StateStore>);

impl Access {
    pub(crate) async fn get(&self, key: &str) -> Result<Option<StateEntry>> {
        check_key(key)?;
        Ok(self.0.get(key).await?)
    }

    pub(crate) async fn set(&self, key: &str, value: Vec<u8>, ttl_ms: Option<u64>) -> Result<u64> {
        check_key(key)?;
        let (value, ttl) = (check_value(value)?, check_ttl(ttl_ms)?);
        Ok(self.0.set(key, value, ttl).await?)
    }

    pub(crate) async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<u64>,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
    ) -> Result<Option<u64>> {
        check_key(key)?;
        let (value, ttl) = (check_value(value)?, check_ttl(ttl_ms)?);
        Ok(self.0.compare_and_set(key, expected, value, ttl).await?)
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<bool> {
        check_key(key)?;
        Ok(self.0.delete(key).await?)
    }

    pub(crate) async fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        check_key(key)?;
        Ok(self.0.increment(key, delta).await?)
    }

    pub(crate) async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<StatePage> {
        if prefix.len() > KEY_BYTES_MAX || cursor.is_some_and(|c| c.len() > 2 * KEY_BYTES_MAX) {
            return Err(Refused::Invalid("the prefix or the cursor is too long".to_owned()));
        }
        if !(1..=PAGE_KEYS_MAX).contains(&limit) {
            let detail = format!("limit is {limit}; expected 1 to {PAGE_KEYS_MAX}");
            return Err(Refused::Invalid(detail));
        }
        Ok(self.0.list(prefix, cursor, limit).await?)
    }
}

fn check_key(key: &str) -> Result<()> {
    if (1..=KEY_BYTES_MAX).contains(&key.len()) {
        return Ok(());
    }
    let bytes = key.len();
    Err(Refused::Invalid(format!("the key has {bytes} bytes; expected 1 to {KEY_BYTES_MAX}")))
}

fn check_value(value: Vec<u8>) -> Result<Bytes> {
    if value.len() <= VALUE_BYTES_MAX {
        return Ok(value.into());
    }
    let bytes = value.len();
    let detail = format!("the value has {bytes} bytes; expected {VALUE_BYTES_MAX} at most");
    Err(Refused::Invalid(detail))
}

fn check_ttl(ttl_ms: Option<u64>) -> Result<Option<Duration>> {
    match ttl_ms {
        Some(0) => Err(Refused::Invalid("ttl-ms is 0; expected 1 at least".to_owned())),
        _ => Ok(ttl_ms.map(Duration::from_millis)),
    }
}
