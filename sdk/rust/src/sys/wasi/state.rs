//! `wfh:function/state`

use std::time::Duration;

use super::convert::milliseconds;
use crate::bindings::state::{self as wit};
use crate::state::{Entry, Error, Page, Version};

pub(crate) fn get(key: &str) -> Result<Option<Entry>, Error> {
    let entry = wit::get(key).map_err(failed)?;
    Ok(entry.map(|entry| Entry { value: entry.value, version: Version(entry.version) }))
}

pub(crate) fn set(key: &str, value: &[u8], ttl: Option<Duration>) -> Result<Version, Error> {
    wit::set(key, value, ttl.map(milliseconds)).map(Version).map_err(failed)
}

pub(crate) fn compare_and_set(
    key: &str,
    expected: Option<Version>,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<Option<Version>, Error> {
    let expected = expected.map(|version| version.0);
    wit::compare_and_set(key, expected, value, ttl.map(milliseconds))
        .map(|version| version.map(Version))
        .map_err(failed)
}

pub(crate) fn delete(key: &str) -> Result<bool, Error> {
    wit::delete(key).map_err(failed)
}

pub(crate) fn increment(key: &str, delta: i64) -> Result<i64, Error> {
    wit::increment(key, delta).map_err(failed)
}

pub(crate) fn list(prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
    let page = wit::list_keys(prefix, cursor, limit).map_err(failed)?;
    Ok(Page { keys: page.keys, next: page.next })
}

fn failed(error: wit::Error) -> Error {
    match error {
        wit::Error::Denied => Error::Denied,
        wit::Error::Invalid(why) => Error::Invalid(why),
        wit::Error::Unavailable(why) => Error::Unavailable(why),
    }
}
