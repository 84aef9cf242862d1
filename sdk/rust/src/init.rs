//! What a function that runs before the snapshot may answer.

use std::fmt::Display;

/// Nothing, or a `Result<(), E>` whose error refuses the function.
///
/// ```
/// use wfh::IntoInit as _;
///
/// assert_eq!(().into_init(), Ok(()));
/// assert_eq!(Err::<(), _>("no luck").into_init(), Err("no luck".to_owned()));
/// ```
pub trait IntoInit {
    /// Makes what the host is told.
    ///
    /// # Errors
    /// When the function is to be refused.
    ///
    /// ```
    /// use wfh::IntoInit as _;
    /// assert!(Ok::<(), &str>(()).into_init().is_ok());
    /// ```
    fn into_init(self) -> Result<(), String>;
}

impl IntoInit for () {
    fn into_init(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Display> IntoInit for Result<(), E> {
    fn into_init(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}
