//! What an event handler answers.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Outgoing, Raw};

/// Success: data for the caller, and events that become durable together with it.
///
/// ```
/// use wfh::{Event, Outgoing, Reply, Result};
///
/// async fn handle(order: Event<u32>) -> Result<Reply> {
///     let mail = Outgoing::new("queue:emails", "com.example.order.paid").json(&order.data)?;
///     Ok(Reply::json(&"paid")?.emit(mail))
/// }
/// # use wfh::test::{Delivery, Host};
/// # let reply = Host::new().event(handle, Delivery::json("7")).unwrap();
/// # assert_eq!(reply.emitted().len(), 1);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    pub(crate) datacontenttype: Option<String>,
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) emit: Vec<Outgoing>,
}

impl Reply {
    /// A reply without data: 204 for a caller over HTTP.
    ///
    /// ```
    /// assert_eq!(wfh::Reply::empty().bytes(), None);
    /// ```
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A value as JSON. `null` is a reply without data.
    ///
    /// # Errors
    /// When the value is none that JSON can hold.
    ///
    /// ```
    /// assert_eq!(wfh::Reply::json(&[1, 2])?.bytes(), Some(&b"[1,2]"[..]));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        let data = serde_json::to_vec(value)?;
        if data == b"null" {
            return Ok(Self::empty());
        }
        Ok(Self::data("application/json", data))
    }

    /// Bytes of any media type.
    ///
    /// ```
    /// let reply = wfh::Reply::data("text/plain", "hello");
    /// ```
    pub fn data(datacontenttype: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        let datacontenttype = Some(datacontenttype.into());
        Self { datacontenttype, data: Some(data.into()), ..Self::default() }
    }

    /// An attribute of the answer.
    ///
    /// ```
    /// let reply = wfh::Reply::empty().attribute("cache", "miss");
    /// ```
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// An event that becomes durable together with this success, or not at all. The host gives it
    /// its id, so that a repeated attempt emits the same event and not another.
    ///
    /// ```
    /// use wfh::{Outgoing, Reply};
    /// let reply = Reply::empty().emit(Outgoing::new("topic:paid", "com.example.order.paid"));
    /// ```
    #[must_use]
    pub fn emit(mut self, outgoing: Outgoing) -> Self {
        self.emit.push(outgoing);
        self
    }

    /// The data; for tests.
    ///
    /// ```
    /// assert_eq!(wfh::Reply::data("text/plain", "hello").bytes(), Some(&b"hello"[..]));
    /// ```
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        self.data.as_deref()
    }

    /// The data, read as JSON; for tests.
    ///
    /// # Errors
    /// When it is not the JSON that `T` is read from.
    ///
    /// ```
    /// assert_eq!(wfh::Reply::json(&7)?.read_json::<u32>()?, 7);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn read_json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.bytes().unwrap_or(b"null"))
    }

    /// What it emits; for tests.
    ///
    /// ```
    /// assert!(wfh::Reply::empty().emitted().is_empty());
    /// ```
    #[must_use]
    pub fn emitted(&self) -> &[Outgoing] {
        &self.emit
    }
}

/// What becomes a [`Reply`]: a `Reply`, [`Raw`] bytes, or any value that serde writes as JSON.
/// `()` and `None` are replies without data.
///
/// ```
/// use wfh::IntoReply as _;
///
/// assert_eq!(().into_reply()?.bytes(), None);
/// assert_eq!([1, 2].into_reply()?.bytes(), Some(&b"[1,2]"[..]));
/// # Ok::<(), wfh::Error>(())
/// ```
pub trait IntoReply {
    /// Makes the reply.
    ///
    /// # Errors
    /// When the value is none that JSON can hold.
    ///
    /// ```
    /// use wfh::{IntoReply as _, Raw};
    /// assert_eq!(Raw(b"hello".to_vec()).into_reply()?.bytes(), Some(&b"hello"[..]));
    /// # Ok::<(), wfh::Error>(())
    /// ```
    fn into_reply(self) -> Result<Reply, Error>;
}

impl<T: Serialize> IntoReply for T {
    fn into_reply(self) -> Result<Reply, Error> {
        Ok(Reply::json(&self)?)
    }
}

impl IntoReply for Reply {
    fn into_reply(self) -> Result<Reply, Error> {
        Ok(self)
    }
}

impl IntoReply for Raw {
    fn into_reply(self) -> Result<Reply, Error> {
        Ok(Reply::data("application/octet-stream", self.0))
    }
}
