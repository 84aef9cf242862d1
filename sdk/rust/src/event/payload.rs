//! How the bytes of an event become the type that a handler asks for.

use serde::de::DeserializeOwned;

/// What an event's data can be read as: every type that serde reads from JSON, and [`Raw`].
///
/// An event without data is read as JSON's `null`, so `Option<T>` and `()` take it.
///
/// ```
/// use wfh::{Event, Result};
///
/// async fn sweep(_tick: Event<()>) -> Result<()> {
///     Ok(())
/// }
/// # wfh::test::Host::new().event(sweep, wfh::test::Delivery::empty()).unwrap();
/// ```
pub trait Payload: Sized {
    #[doc(hidden)]
    fn from_data(data: Option<Vec<u8>>) -> Result<Self, String>;
}

impl<T: DeserializeOwned> Payload for T {
    fn from_data(data: Option<Vec<u8>>) -> Result<Self, String> {
        match data {
            Some(data) => serde_json::from_slice(&data).map_err(|error| error.to_string()),
            None => serde_json::from_slice(b"null").map_err(|_| "there is no data".to_owned()),
        }
    }
}

/// The data of an event as it came, or of a reply as it goes: not JSON.
///
/// ```
/// use wfh::{Event, Raw, Reply, Result};
///
/// async fn reversed(event: Event<Raw>) -> Result<Reply> {
///     let bytes: Vec<u8> = event.data.0.iter().rev().copied().collect();
///     Ok(Reply::data("application/octet-stream", bytes))
/// }
/// # use wfh::test::{Delivery, Host};
/// # let reply = Host::new().event(reversed, Delivery::bytes("text/plain", "abc")).unwrap();
/// # assert_eq!(reply.bytes(), Some(&b"cba"[..]));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Raw(
    /// The bytes; none when the event has no data.
    pub Vec<u8>,
);

impl Payload for Raw {
    fn from_data(data: Option<Vec<u8>>) -> Result<Self, String> {
        Ok(Self(data.unwrap_or_default()))
    }
}
