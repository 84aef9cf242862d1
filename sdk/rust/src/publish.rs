//! Sending events at once, whatever becomes of the call.
//!
//! What should happen only on success goes into [`Reply::emit`](crate::Reply::emit) instead. The
//! manifest grants targets with `allow.send`.

use std::fmt;

use crate::{Outgoing, sys};

/// Sends one event and gives its id. It is durable once this returns.
///
/// # Errors
/// See [`Error`].
///
/// ```
/// use wfh::{Outgoing, Result, publish};
///
/// fn greet(name: &str) -> Result<String> {
///     let mail = Outgoing::new("queue:emails", "com.example.greeting").json(name)?;
///     Ok(publish::send(mail)?)
/// }
/// # let host = wfh::test::Host::new().allow_send("queue:emails");
/// # host.run(async { greet("Ada") }).unwrap();
/// # assert_eq!(host.sent().len(), 1);
/// ```
pub fn send(outgoing: Outgoing) -> Result<String, Error> {
    sys::publish::send(outgoing)
}

/// Sends several events, all or none, and gives their ids in order.
///
/// # Errors
/// See [`Error`].
///
/// ```
/// use wfh::{Outgoing, Result, publish};
///
/// fn fan_out(shards: u32) -> Result<Vec<String>> {
///     let events = (0..shards).map(|shard| Outgoing::new("queue:work", "shard").key(shard.to_string()));
///     Ok(publish::send_batch(events)?)
/// }
/// # let host = wfh::test::Host::new().allow_send("queue:work");
/// # assert_eq!(host.run(async { fan_out(3) }).unwrap().len(), 3);
/// ```
pub fn send_batch(outgoing: impl IntoIterator<Item = Outgoing>) -> Result<Vec<String>, Error> {
    sys::publish::send_batch(outgoing.into_iter().collect())
}

/// Why nothing was sent. Each with the host's explanation.
///
/// ```
/// use wfh::{Outgoing, publish};
///
/// fn is_granted(outgoing: Outgoing) -> bool {
///     !matches!(publish::send(outgoing), Err(publish::Error::Denied(_)))
/// }
/// # let host = wfh::test::Host::new();
/// # assert!(!host.run(async { is_granted(Outgoing::new("queue:q", "t")) }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// `allow.send` does not name the target.
    Denied(String),
    /// The target or the event is not well formed.
    Invalid(String),
    /// The target holds as much as it may (`depth_max`); try later.
    Full(String),
    /// The host could not store it; try later.
    Unavailable(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) => write!(f, "sending is not allowed: {why}"),
            Self::Invalid(why) => write!(f, "the event cannot be sent: {why}"),
            Self::Full(why) => write!(f, "the target is full: {why}"),
            Self::Unavailable(why) => write!(f, "the event could not be stored: {why}"),
        }
    }
}

impl std::error::Error for Error {}
