//! Configuration: what the manifest gives the function under `config`.

use std::fmt;

use crate::sys;

/// The value of a key; `None` when there is no such key.
///
/// # Errors
/// When the host cannot read it.
///
/// ```
/// use wfh::{Result, config};
///
/// fn currency() -> Result<String> {
///     Ok(config::get("currency")?.unwrap_or_else(|| "EUR".to_owned()))
/// }
/// # let host = wfh::test::Host::new().config("currency", "CHF");
/// # assert_eq!(host.run(async { currency() }).unwrap(), "CHF");
/// ```
pub fn get(key: &str) -> Result<Option<String>, Error> {
    sys::config::get(key)
}

/// The value of a key that has to be there.
///
/// # Errors
/// When it is not, or when the host cannot read it.
///
/// ```
/// let missing = wfh::test::Host::new().run(async { wfh::config::require("currency") });
/// assert_eq!(missing.unwrap_err().to_string(), "there is no `currency` in the function's config");
/// ```
pub fn require(key: &str) -> Result<String, Error> {
    get(key)?.ok_or_else(|| Error(format!("there is no `{key}` in the function's config")))
}

/// A value cannot be read, or is not there. The text names the key, never a value.
///
/// ```
/// fn report(error: &wfh::config::Error) -> String {
///     error.to_string()
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(pub(crate) String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
