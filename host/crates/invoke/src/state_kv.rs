//! Functions' state on the host's store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wfh_store::{Effect, Expect, Key, Op, Store, StoreError};

use crate::{StateEntry, StateError, StatePage, StateResult, StateStore};

/// The keys of state begin with it.
const PREFIX: &str = "state/";

/// State in the store.
pub struct KvState(Arc<dyn Store>);

impl KvState {
    /// Keeps state in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }

    async fn write(&self, op: Op) -> Result<Option<Effect>, StateError> {
        match self.0.commit(vec![op]).await {
            Ok(effects) => Ok(effects.into_iter().next()),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(refused(&error)),
        }
    }
}

fn key(name: &str) -> Result<Key, StateError> {
    Key::new(&format!("{PREFIX}{name}")).map_err(|error| StateError::Invalid(error.to_string()))
}

fn refused(error: &StoreError) -> StateError {
    match error {
        StoreError::Invalid(reason) => StateError::Invalid(reason.replace(PREFIX, "")),
        StoreError::Conflict { .. } | StoreError::Full { .. } | StoreError::Unavailable(_) => {
            StateError::Unavailable(error.to_string())
        }
    }
}

fn version(effect: Option<Effect>) -> Option<u64> {
    match effect {
        Some(Effect::Version(version)) => Some(version),
        _ => None,
    }
}

/// What a store answers that answers something else than it was asked.
fn confused() -> StateError {
    StateError::Unavailable("the store gave another effect than it promises".to_owned())
}

impl StateStore for KvState {
    fn get<'a>(&'a self, name: &'a str) -> StateResult<'a, Option<StateEntry>> {
        Box::pin(async move {
            let value = self.0.get(key(name)?).await.map_err(|error| refused(&error))?;
            Ok(value.map(|value| StateEntry { value: value.bytes, version: value.version }))
        })
    }

    fn set<'a>(
        &'a self,
        name: &'a str,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> StateResult<'a, u64> {
        Box::pin(async move {
            let put = Op::Put { key: key(name)?, bytes: value, expect: Expect::Any, ttl };
            version(self.write(put).await?).ok_or_else(confused)
        })
    }

    fn compare_and_set<'a>(
        &'a self,
        name: &'a str,
        expected: Option<u64>,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> StateResult<'a, Option<u64>> {
        Box::pin(async move {
            let expect = expected.map_or(Expect::Absent, Expect::Version);
            let put = Op::Put { key: key(name)?, bytes: value, expect, ttl };
            Ok(version(self.write(put).await?))
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> StateResult<'a, bool> {
        Box::pin(async move {
            let delete = Op::Delete { key: key(name)?, expect: Expect::Any };
            match self.write(delete).await? {
                Some(Effect::Removed(removed)) => Ok(removed),
                _ => Err(confused()),
            }
        })
    }

    fn increment<'a>(&'a self, name: &'a str, delta: i64) -> StateResult<'a, i64> {
        Box::pin(async move {
            match self.write(Op::Increment { key: key(name)?, delta }).await? {
                Some(Effect::Sum(sum)) => Ok(sum),
                _ => Err(confused()),
            }
        })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        cursor: Option<&'a str>,
        limit: u32,
    ) -> StateResult<'a, StatePage> {
        Box::pin(async move {
            let after = cursor.map(key).transpose()?;
            let prefix = format!("{PREFIX}{prefix}");
            let found = self.0.list(&prefix, after, limit).await.map_err(|e| refused(&e))?;
            let keys: Vec<String> = found
                .iter()
                .filter_map(|(key, _)| key.as_str().strip_prefix(PREFIX))
                .map(str::to_owned)
                .collect();
            let more = keys.len() == limit as usize;
            let next = more.then(|| keys.last().cloned()).flatten();
            Ok(StatePage { keys, next })
        })
    }
}
