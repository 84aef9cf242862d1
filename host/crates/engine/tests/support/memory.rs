//! What tests put behind the ports: state and sent events in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use wfh_event::EventId;
use wfh_invoke::{
    Outgoing, PublishError, Publisher, StateEntry, StateError, StatePage, StateResult, StateStore,
};

/// Times to live are noted, and never over.
#[derive(Default)]
pub(crate) struct MemoryState {
    entries: Mutex<BTreeMap<String, (StateEntry, Option<Duration>)>>,
    pub(crate) sent: Mutex<Vec<Outgoing>>,
}

impl MemoryState {
    pub(crate) fn ttl(&self, key: &str) -> Option<Duration> {
        self.entries.lock().unwrap().get(key).and_then(|(_, ttl)| *ttl)
    }

    fn write(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> u64 {
        let mut entries = self.entries.lock().unwrap();
        let version = entries.get(key).map_or(0, |(entry, _)| entry.version) + 1;
        entries.insert(key.to_owned(), (StateEntry { value, version }, ttl));
        version
    }

    fn read(&self, key: &str) -> Option<StateEntry> {
        self.entries.lock().unwrap().get(key).map(|(entry, _)| entry.clone())
    }
}

fn ready<'a, T: Send + 'a>(result: Result<T, StateError>) -> StateResult<'a, T> {
    Box::pin(async {
        // A store is something to wait for.
        tokio::task::yield_now().await;
        result
    })
}

impl StateStore for MemoryState {
    fn get<'a>(&'a self, key: &'a str) -> StateResult<'a, Option<StateEntry>> {
        ready(Ok(self.read(key)))
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> StateResult<'a, u64> {
        ready(Ok(self.write(key, value, ttl)))
    }

    fn compare_and_set<'a>(
        &'a self,
        key: &'a str,
        expected: Option<u64>,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> StateResult<'a, Option<u64>> {
        let same = self.read(key).map(|entry| entry.version) == expected;
        ready(Ok(same.then(|| self.write(key, value, ttl))))
    }

    fn delete<'a>(&'a self, key: &'a str) -> StateResult<'a, bool> {
        ready(Ok(self.entries.lock().unwrap().remove(key).is_some()))
    }

    fn increment<'a>(&'a self, key: &'a str, delta: i64) -> StateResult<'a, i64> {
        let old = match self.read(key) {
            None => 0,
            Some(entry) => match String::from_utf8_lossy(&entry.value).parse::<i64>() {
                Ok(number) => number,
                Err(error) => return ready(Err(StateError::Invalid(error.to_string()))),
            },
        };
        self.write(key, (old + delta).to_string().into(), None);
        ready(Ok(old + delta))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        cursor: Option<&'a str>,
        limit: u32,
    ) -> StateResult<'a, StatePage> {
        let entries = self.entries.lock().unwrap();
        let from = cursor.map_or(Bound::Included(prefix), Bound::Excluded);
        let mut keys: Vec<String> = entries
            .range::<str, _>((from, Bound::Unbounded))
            .map(|(key, _)| key.clone())
            .take_while(|key| key.starts_with(prefix))
            .take(limit as usize + 1)
            .collect();
        let more = keys.len() > limit as usize;
        keys.truncate(limit as usize);
        let next = keys.last().filter(|_| more).cloned();
        ready(Ok(StatePage { keys, next }))
    }
}

impl Publisher for MemoryState {
    fn publish(
        &self,
        messages: Vec<Outgoing>,
    ) -> BoxFuture<'_, Result<Vec<EventId>, PublishError>> {
        Box::pin(async {
            tokio::task::yield_now().await;
            let full = messages.iter().any(|message| message.target.to_string() == "queue:full");
            if full {
                return Err(PublishError::Full("queue:full is full".to_owned()));
            }
            let ids = messages.iter().map(|message| message.event.id.clone()).collect();
            self.sent.lock().unwrap().extend(messages);
            Ok(ids)
        })
    }
}
