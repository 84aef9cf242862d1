//! How a handler fails, and what that means to the host.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

/// What handlers answer.
///
/// ```
/// fn port(text: &str) -> wfh::Result<u16> {
///     Ok(text.parse()?)
/// }
/// assert!(port("http").is_err());
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a handler failed. Every [`std::error::Error`] becomes one with `?`.
///
/// | made from | an event function | an HTTP function answers |
/// |---|---|---|
/// | any error | is tried again, when the retry policy says | 500, with no detail |
/// | [`RetryAfter`] | is tried again after that time at the earliest | 503 with `Retry-After` |
/// | [`Reject`] | is never tried again: a dead letter now | 422 with the reason |
/// | [`Error::status`] | as if an HTTP function had answered so | that status with the message |
///
/// The text of any error, with the errors behind it, goes to the log and to whoever reads a dead
/// letter; callers over HTTP see only what the table says.
///
/// ```
/// use wfh::{Error, Reject};
///
/// let error = Error::from(Reject::new("no total"));
/// assert!(error.is_rejection());
/// assert_eq!(error.reason(), "no total");
/// ```
#[derive(Clone)]
pub struct Error(Box<Failure>);

/// Apart from [`Error`], so that a `Result` stays one pointer wide.
#[derive(Clone)]
struct Failure {
    class: Class,
    reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Internal,
    Later(Duration),
    Rejected,
    Status(StatusCode),
}

impl Error {
    /// An answer with a status of its own. `message` is for the caller.
    ///
    /// For an event function 408, 425, 429 and 5xx mean that it is tried again, any other status
    /// that the event is rejected: just as the host reads the answer of an HTTP function.
    ///
    /// ```
    /// use wfh::{Error, StatusCode};
    ///
    /// let error = Error::status(StatusCode::UNAUTHORIZED, "the signature does not match");
    /// assert!(error.is_rejection());
    /// ```
    pub fn status(status: StatusCode, message: impl fmt::Display) -> Self {
        Self::new(Class::Status(status), message.to_string())
    }

    /// A failure that may pass, when there is no error to make it from.
    ///
    /// ```
    /// assert_eq!(wfh::Error::internal("the cache is cold").reason(), "the cache is cold");
    /// ```
    pub fn internal(reason: impl fmt::Display) -> Self {
        Self::new(Class::Internal, reason.to_string())
    }

    fn new(class: Class, reason: String) -> Self {
        Self(Box::new(Failure { class, reason }))
    }

    /// Why, for logs and dead letters.
    ///
    /// ```
    /// let error = wfh::Error::from("x".parse::<u8>().unwrap_err());
    /// assert_eq!(error.reason(), "invalid digit found in string");
    /// ```
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Whether the event is never tried again.
    ///
    /// ```
    /// assert!(!wfh::Error::internal("the cache is cold").is_rejection());
    /// ```
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        match self.class() {
            Class::Rejected => true,
            Class::Internal | Class::Later(_) => false,
            Class::Status(status) => {
                !status.is_server_error() && !matches!(status.as_u16(), 408 | 425 | 429)
            }
        }
    }

    /// How long to wait at least, where the handler said so.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wfh::{Error, RetryAfter};
    ///
    /// let error = Error::from(RetryAfter::new(Duration::from_secs(5), "the bank is closed"));
    /// assert_eq!(error.retry_after(), Some(Duration::from_secs(5)));
    /// ```
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.class() {
            Class::Later(after) => Some(after),
            Class::Internal | Class::Rejected | Class::Status(_) => None,
        }
    }

    pub(crate) fn class(&self) -> Class {
        self.0.class
    }
}

impl<E: StdError + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let any: &dyn Any = &error;
        if let Some(Reject(reason)) = any.downcast_ref() {
            return Self::new(Class::Rejected, reason.clone());
        }
        if let Some(RetryAfter { after, reason }) = any.downcast_ref() {
            return Self::new(Class::Later(*after), reason.clone());
        }
        Self::new(Class::Internal, with_sources(&error))
    }
}

/// `what: because: because`. A source that its error already quotes is not repeated.
fn with_sources(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("class", &self.class())
            .field("reason", &self.reason())
            .finish()
    }
}

/// The event is bad and stays so: never try it again.
///
/// ```
/// use wfh::{Reject, Result};
///
/// fn total(cents: i64) -> Result<u64> {
///     Ok(u64::try_from(cents).map_err(Reject::new)?)
/// }
/// assert!(total(-1).unwrap_err().is_rejection());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject(String);

impl Reject {
    /// Takes a text, or an error to take the text of.
    ///
    /// ```
    /// assert_eq!(wfh::Reject::new("no total").to_string(), "no total");
    /// ```
    pub fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Reject {}

/// Try again, but not before a time has passed.
///
/// ```
/// use std::time::Duration;
/// use wfh::{Result, RetryAfter};
///
/// fn charge(open: bool) -> Result<()> {
///     if !open {
///         return Err(RetryAfter::new(Duration::from_secs(60), "the bank is closed").into());
///     }
///     Ok(())
/// }
/// assert_eq!(charge(false).unwrap_err().retry_after(), Some(Duration::from_secs(60)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryAfter {
    after: Duration,
    reason: String,
}

impl RetryAfter {
    /// Takes the time and a text, or an error to take the text of.
    ///
    /// ```
    /// let later = wfh::RetryAfter::new(std::time::Duration::from_secs(1), "busy");
    /// assert_eq!(later.to_string(), "busy");
    /// ```
    pub fn new(after: Duration, reason: impl fmt::Display) -> Self {
        Self { after, reason: reason.to_string() }
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl StdError for RetryAfter {}
