//! Values with a type, held as JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, Version, compare_and_set, get, set};

/// Bounds how often an update begins again; each time another writer was faster.
const UPDATE_TRIES_MAX: u32 = 16;

/// What a key holds, read as JSON.
///
/// # Errors
/// [`Error::Invalid`] when it is not the JSON that `T` is read from; see [`Error`].
///
/// ```
/// # fn example() -> Result<(), wfh::state::Error> {
/// let sizes: Option<Vec<u32>> = wfh::state::get_json("sizes")?;
/// # assert_eq!(sizes, Some(vec![1, 2]));
/// # Ok(()) }
/// # wfh::test::Host::new().state("sizes", "[1,2]").run(async { example() }).unwrap();
/// ```
pub fn get_json<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
    get(key)?.map(|entry| read(key, &entry.value)).transpose()
}

/// Sets a key for ever to a value, written as JSON.
///
/// # Errors
/// [`Error::Invalid`] when the value is none that JSON can hold; see [`Error`].
///
/// ```
/// # fn example() -> Result<(), wfh::state::Error> {
/// wfh::state::set_json("sizes", &[1, 2])?;
/// # Ok(()) }
/// # wfh::test::Host::new().run(async { example() }).unwrap();
/// ```
pub fn set_json<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Version, Error> {
    set(key, written(key, value)?)
}

/// Replaces what a key holds by what `change` makes of it, as often as it takes for nobody else to
/// have written in between, and gives what was written. The key is then set for ever.
///
/// # Errors
/// [`Error::Unavailable`] when others were faster 16 times in a row; see [`Error`].
///
/// ```
/// # fn example() -> Result<(), wfh::state::Error> {
/// let names = wfh::state::update("names", |names: Option<Vec<String>>| {
///     let mut names = names.unwrap_or_default();
///     names.push("Ada".to_owned());
///     names
/// })?;
/// # assert_eq!(names, ["Ada"]);
/// # Ok(()) }
/// # wfh::test::Host::new().run(async { example() }).unwrap();
/// ```
pub fn update<T, F>(key: &str, mut change: F) -> Result<T, Error>
where
    T: Serialize + DeserializeOwned,
    F: FnMut(Option<T>) -> T,
{
    for _ in 0..UPDATE_TRIES_MAX {
        let entry = get(key)?;
        let version = entry.as_ref().map(|entry| entry.version);
        let current = entry.map(|entry| read(key, &entry.value)).transpose()?;
        let next = change(current);
        if compare_and_set(key, version, written(key, &next)?, None)?.is_some() {
            return Ok(next);
        }
    }
    Err(Error::Unavailable(format!("others write {key:?} all the time")))
}

fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|error| Error::Invalid(format!("{key:?} holds: {error}")))
}

fn written<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::Invalid(format!("{key:?}: {error}")))
}
