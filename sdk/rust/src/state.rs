//! Keys and values that outlive the call, shared by the functions of an app.
//!
//! The manifest grants them with `allow.state = true`. A key has 1 to 1024 bytes, a value at most
//! 1 MiB. Reading and then writing is a race; [`compare_and_set`], [`increment`] and [`update`] are
//! not.

mod typed;

use std::fmt;
use std::time::Duration;

pub use typed::{get_json, set_json, update};

use crate::sys;

/// A value, and the version to hand to [`compare_and_set`].
///
/// ```
/// use wfh::state;
///
/// fn text(key: &str) -> Result<Option<String>, state::Error> {
///     Ok(state::get(key)?.map(|entry| String::from_utf8_lossy(&entry.value).into_owned()))
/// }
/// # let host = wfh::test::Host::new().state("greeting", "hello");
/// # assert_eq!(host.run(async { text("greeting") }), Ok(Some("hello".into())));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bytes that were set.
    pub value: Vec<u8>,
    /// Another one after each write.
    pub version: Version,
}

/// Which write a value comes from.
///
/// ```
/// use wfh::state;
///
/// fn changed(key: &str, seen: state::Version) -> Result<bool, state::Error> {
///     Ok(state::get(key)?.is_none_or(|entry| entry.version != seen))
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(pub(crate) u64);

/// Some keys, in the order of their bytes.
///
/// ```
/// use wfh::state;
///
/// fn first(prefix: &str) -> Result<Option<String>, state::Error> {
///     Ok(state::list(prefix, None, 1)?.keys.into_iter().next())
/// }
/// # let host = wfh::test::Host::new().state("a/1", "x");
/// # assert_eq!(host.run(async { first("a/") }), Ok(Some("a/1".into())));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The keys.
    pub keys: Vec<String>,
    /// What continues the listing; absent at its end.
    pub next: Option<String>,
}

/// What a key holds, if it holds anything and its time is not over.
///
/// # Errors
/// See [`Error`].
///
/// ```
/// # fn example() -> Result<(), wfh::state::Error> {
/// let entry = wfh::state::get("greeting")?;
/// # assert!(entry.is_none());
/// # Ok(()) }
/// # wfh::test::Host::new().run(async { example() }).unwrap();
/// ```
pub fn get(key: &str) -> Result<Option<Entry>, Error> {
    sys::state::get(key)
}

/// Sets a key for ever.
///
/// # Errors
/// See [`Error`].
///
/// ```
/// # fn example() -> Result<(), wfh::state::Error> {
/// wfh::state::set("greeting", "hello")?;
/// # Ok(()) }
/// # wfh::test::Host::new().run(async { example() }).unwrap();
/// ```
pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result<Version, Error> {
    sys::state::set(key, value.as_ref(), None)
}

/// Sets a key for a time, to the millisecond.
///
/// # Errors
/// See [`Error`].
///
/// ```
/// # use std::time::Duration;
/// # fn example() -> Result<(), wfh::state::Error> {
/// wfh::state::set_for("session/7", "open", Duration::from_secs(60))?;
/// # Ok(()) }
/// # let host = wfh::test::Host::new();
/// # host.run(async { example() }).unwrap();
/// # host.advance(Duration::from_secs(60));
/// # assert_eq!(host.state_of("session/7"), None);
/// ```
pub fn set_for(key: &str, value: impl AsRef<[u8]>, ttl: Duration) -> Result<Version, Error> {
    sys::state::set(key, value.as_ref(), Some(ttl))
}

/// Sets a key if it has the version that was seen, or if it is absent when `expected` is `None`.
/// Gives the new version, or `None` when somebody else was faster. `ttl` of `None` is for ever.
///
/// # Errors
/// See [`Error`].
///
/// ```
/// use wfh::state;
///
/// /// True for the first that asks.
/// fn claim(name: &str) -> Result<bool, state::Error> {
///     Ok(state::compare_and_set(name, None, "taken", None)?.is_some())
/// }
/// # let host = wfh::test::Host::new();
/// # assert_eq!(host.run(async { (claim("a").unwrap(), claim("a").unwrap()) }), (true, false));
/// ```
pub fn compare_and_set(
    key: &str,
    expected: Option<Version>,
    value: impl AsRef<[u8]>,
    ttl: Option<Duration>,
) -> Result<Option<Version>, Error> {
    sys::state::compare_and_set(key, expected, value.as_ref(), ttl)
}

/// Removes a key; true if it was there.
///
/// # Errors
/// See [`Error`].
///
/// ```
/// # fn example() -> Result<(), wfh::state::Error> {
/// let was_there = wfh::state::delete("greeting")?;
/// # assert!(!was_there);
/// # Ok(()) }
/// # wfh::test::Host::new().run(async { example() }).unwrap();
/// ```
pub fn delete(key: &str) -> Result<bool, Error> {
    sys::state::delete(key)
}

/// Adds to a number, held as decimal text, and gives the sum. An absent key counts as 0.
///
/// # Errors
/// [`Error::Invalid`] when the key holds no number, or when the sum is out of range; see [`Error`].
///
/// ```
/// # fn example() -> Result<(), wfh::state::Error> {
/// let visits = wfh::state::increment("visits", 1)?;
/// # assert_eq!(visits, 1);
/// # Ok(()) }
/// # wfh::test::Host::new().run(async { example() }).unwrap();
/// ```
pub fn increment(key: &str, delta: i64) -> Result<i64, Error> {
    sys::state::increment(key, delta)
}

/// The keys that begin with `prefix`, at most `limit` of them (1 to 1000), from where the last
/// page's `next` says.
///
/// # Errors
/// See [`Error`].
///
/// ```
/// use wfh::state;
///
/// fn count(prefix: &str) -> Result<usize, state::Error> {
///     let mut page = state::list(prefix, None, 1000)?;
///     let mut count = page.keys.len();
///     while let Some(next) = page.next {
///         page = state::list(prefix, Some(&next), 1000)?;
///         count += page.keys.len();
///     }
///     Ok(count)
/// }
/// # let host = wfh::test::Host::new().state("a/1", "x").state("a/2", "y").state("b", "z");
/// # assert_eq!(host.run(async { count("a/") }), Ok(2));
/// ```
pub fn list(prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
    sys::state::list(prefix, cursor, limit)
}

/// Why nothing was read or written.
///
/// ```
/// let outcome = wfh::test::Host::new().run(async { wfh::state::get("") });
/// assert!(matches!(outcome, Err(wfh::state::Error::Invalid(_))));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The manifest does not say `allow.state = true`.
    Denied,
    /// The key, the cursor or the value is not within its bounds, or not a number to increment, or
    /// not what a typed read expects.
    Invalid(String),
    /// The host's store does not answer, or too many write the same key at once; try later.
    Unavailable(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => f.write_str("state is not allowed: `allow.state` is not set"),
            Self::Invalid(why) => write!(f, "state refuses this: {why}"),
            Self::Unavailable(why) => write!(f, "state is not available: {why}"),
        }
    }
}

impl std::error::Error for Error {}
