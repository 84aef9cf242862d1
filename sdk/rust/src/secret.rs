//! Secrets: what the manifest gives the function under `secret`.
//!
//! They are not in the environment, and what holds one here does not print it.

use std::fmt;

use crate::config::Error;
use crate::sys;

/// A value that is not printed by accident.
///
/// ```
/// # let host = wfh::test::Host::new().secret("API_KEY", "hunter2");
/// # let key = host.run(async { wfh::secret::get("API_KEY") })?;
/// assert_eq!(format!("{key:?}"), "Secret(…)");
/// assert_eq!(key.expose(), "hunter2");
/// # Ok::<(), wfh::config::Error>(())
/// ```
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The value itself. Compare it with `subtle`, `hmac` or the like, not with `==`: how long `==`
    /// takes tells how much was right.
    ///
    /// ```
    /// fn authorization(key: &wfh::secret::Secret) -> String {
    ///     format!("Bearer {}", key.expose())
    /// }
    /// ```
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The secret with this name. One that the manifest declares is always there: `serve` does not start
/// without its value.
///
/// # Errors
/// When the manifest declares none with this name.
///
/// ```
/// use wfh::{Result, secret};
///
/// fn authorization() -> Result<String> {
///     Ok(format!("Bearer {}", secret::get("API_KEY")?.expose()))
/// }
/// # assert!(wfh::test::Host::new().run(async { authorization() }).is_err());
/// ```
pub fn get(name: &str) -> Result<Secret, Error> {
    match sys::config::get(name)? {
        Some(value) => Ok(Secret(value)),
        None => {
            Err(Error(format!("there is no secret `{name}`: the manifest does not declare it")))
        }
    }
}
