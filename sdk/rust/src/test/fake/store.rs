//! Keys and values, with the bounds and the answers of the host's.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use crate::state::{Entry, Error, Page, Version};

const KEY_BYTES_MAX: usize = 1024;
const VALUE_BYTES_MAX: usize = 1024 * 1024;
const LIMIT_MAX: u32 = 1000;

#[derive(Default)]
pub(in crate::test) struct Store {
    entries: BTreeMap<String, Held>,
    writes: u64,
}

struct Held {
    entry: Entry,
    until: Option<Duration>,
}

impl Store {
    pub(in crate::test) fn get(
        &mut self,
        now: Duration,
        key: &str,
    ) -> Result<Option<Entry>, Error> {
        check_key(key)?;
        self.entries.retain(|_, held| held.until.is_none_or(|until| until > now));
        Ok(self.entries.get(key).map(|held| held.entry.clone()))
    }

    pub(in crate::test) fn set(
        &mut self,
        now: Duration,
        key: &str,
        value: &[u8],
        ttl: Option<Duration>,
    ) -> Result<Version, Error> {
        check_key(key)?;
        check_value(value)?;
        Ok(self.put(key, value.to_vec(), ttl.map(|ttl| now.saturating_add(ttl))))
    }

    pub(super) fn compare_and_set(
        &mut self,
        now: Duration,
        key: &str,
        expected: Option<Version>,
        value: &[u8],
        ttl: Option<Duration>,
    ) -> Result<Option<Version>, Error> {
        if self.get(now, key)?.map(|entry| entry.version) != expected {
            return Ok(None);
        }
        self.set(now, key, value, ttl).map(Some)
    }

    pub(super) fn delete(&mut self, now: Duration, key: &str) -> Result<bool, Error> {
        let was_there = self.get(now, key)?.is_some();
        self.entries.remove(key);
        Ok(was_there)
    }

    /// A key that was to pass still does.
    pub(super) fn increment(&mut self, now: Duration, key: &str, delta: i64) -> Result<i64, Error> {
        let number = match self.get(now, key)? {
            Some(entry) => number(&entry.value)
                .ok_or_else(|| Error::Invalid(format!("{key:?} holds no number")))?,
            None => 0,
        };
        let sum = number
            .checked_add(delta)
            .ok_or_else(|| Error::Invalid(format!("the sum in {key:?} is out of range")))?;
        let until = self.entries.get(key).and_then(|held| held.until);
        self.put(key, sum.to_string().into_bytes(), until);
        Ok(sum)
    }

    pub(super) fn list(
        &mut self,
        now: Duration,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page, Error> {
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Error::Invalid(format!(
                "the limit {limit} is not within 1 and {LIMIT_MAX}"
            )));
        }
        self.entries.retain(|_, held| held.until.is_none_or(|until| until > now));
        let from = cursor.map_or(Bound::Included(prefix), Bound::Excluded);
        let found = self.entries.range::<str, _>((from, Bound::Unbounded)).map(|(key, _)| key);
        let mut found = found.take_while(|key| key.starts_with(prefix)).cloned();
        let keys: Vec<String> = found.by_ref().take(limit as usize).collect();
        let next = found.next().and_then(|_| keys.last().cloned());
        Ok(Page { keys, next })
    }

    fn put(&mut self, key: &str, value: Vec<u8>, until: Option<Duration>) -> Version {
        self.writes += 1;
        let version = Version(self.writes);
        self.entries.insert(key.to_owned(), Held { entry: Entry { value, version }, until });
        version
    }
}

fn number(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn check_key(key: &str) -> Result<(), Error> {
    match key.len() {
        1..=KEY_BYTES_MAX => Ok(()),
        bytes => Err(Error::Invalid(format!("a key of {bytes} bytes, not 1 to {KEY_BYTES_MAX}"))),
    }
}

fn check_value(value: &[u8]) -> Result<(), Error> {
    match value.len() {
        0..=VALUE_BYTES_MAX => Ok(()),
        bytes => {
            Err(Error::Invalid(format!("a value of {bytes} bytes, more than {VALUE_BYTES_MAX}")))
        }
    }
}
