//! An event for somebody else, put together step by step.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::envelope::Envelope;

/// An event for a queue, a topic, a stream or a function; see [`publish`](crate::publish) and
/// [`Reply::emit`](crate::Reply::emit).
///
/// ```
/// use std::time::Duration;
/// use wfh::Outgoing;
///
/// let mail = Outgoing::new("queue:emails", "com.example.order.paid")
///     .subject("order/7")
///     .key("customer-3")
///     .header("x-tenant", "acme")
///     .delay(Duration::from_secs(60))
///     .json(&["any", "serde", "value"])?;
/// assert_eq!(mail.target(), "queue:emails");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub(crate) target: String,
    pub(crate) event: Envelope,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) delay: Option<Duration>,
}

impl Outgoing {
    /// An event for `queue:NAME`, `topic:NAME`, `stream:NAME` or `function:NAME`, which the manifest
    /// has to allow (`allow.send`), with its CloudEvents type.
    ///
    /// ```
    /// let outgoing = wfh::Outgoing::new("topic:paid", "com.example.order.paid");
    /// assert_eq!(outgoing.event_type(), "com.example.order.paid");
    /// ```
    pub fn new(target: impl Into<String>, event_type: impl Into<String>) -> Self {
        let event = Envelope { event_type: event_type.into(), ..Envelope::default() };
        Self { target: target.into(), event, key: None, headers: Vec::new(), delay: None }
    }

    /// A value as JSON.
    ///
    /// # Errors
    /// When the value is none that JSON can hold.
    ///
    /// ```
    /// let outgoing = wfh::Outgoing::new("queue:q", "t").json(&1)?;
    /// assert_eq!(outgoing.bytes(), Some(&b"1"[..]));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, serde_json::Error> {
        Ok(self.data("application/json", serde_json::to_vec(value)?))
    }

    /// Bytes of any media type.
    ///
    /// ```
    /// let outgoing = wfh::Outgoing::new("queue:q", "t").data("text/plain", "hello");
    /// ```
    #[must_use]
    pub fn data(mut self, datacontenttype: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        self.event.datacontenttype = Some(datacontenttype.into());
        self.event.data = Some(data.into());
        self
    }

    /// An id of your own, for [`publish`](crate::publish): what has been sent under the same id and
    /// source is the same event. Without it the host makes a random one. Emitted events have the
    /// host's ids.
    ///
    /// ```
    /// let outgoing = wfh::Outgoing::new("queue:q", "t").id("order-7-paid");
    /// ```
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.event.id = id.into();
        self
    }

    /// A source of your own, instead of `function:NAME`.
    ///
    /// ```
    /// let outgoing = wfh::Outgoing::new("queue:q", "t").source("/shop/orders");
    /// ```
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.event.source = source.into();
        self
    }

    /// What the event is about.
    ///
    /// ```
    /// let outgoing = wfh::Outgoing::new("queue:q", "t").subject("order/7");
    /// ```
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.event.subject = Some(subject.into());
        self
    }

    /// When it happened, as an RFC 3339 timestamp.
    ///
    /// ```
    /// let outgoing = wfh::Outgoing::new("queue:q", "t").time("2026-01-31T12:00:00Z");
    /// ```
    #[must_use]
    pub fn time(mut self, time: impl Into<String>) -> Self {
        self.event.time = Some(time.into());
        self
    }

    /// A URI of the schema that the data follows.
    ///
    /// ```
    /// let outgoing = wfh::Outgoing::new("queue:q", "t").dataschema("https://example.com/order.json");
    /// ```
    #[must_use]
    pub fn dataschema(mut self, uri: impl Into<String>) -> Self {
        self.event.dataschema = Some(uri.into());
        self
    }

    /// A further CloudEvents attribute: lower-case letters and digits name it.
    ///
    /// ```
    /// let outgoing = wfh::Outgoing::new("queue:q", "t").extension("shard", "7");
    /// ```
    #[must_use]
    pub fn extension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.event.extensions.push((name.into(), value.into()));
        self
    }

    /// The key of the target's record, where the target has keys.
    ///
    /// ```
    /// let outgoing = wfh::Outgoing::new("stream:audit", "t").key("customer-3");
    /// ```
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// A header of the target's record, where the target has headers; one more each time.
    ///
    /// ```
    /// let outgoing = wfh::Outgoing::new("stream:audit", "t").header("x-tenant", "acme");
    /// ```
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// How long the target holds it back, to the millisecond.
    ///
    /// ```
    /// let outgoing = wfh::Outgoing::new("queue:q", "t").delay(std::time::Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Where it goes.
    ///
    /// ```
    /// assert_eq!(wfh::Outgoing::new("queue:q", "t").target(), "queue:q");
    /// ```
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What kind of event it is.
    ///
    /// ```
    /// assert_eq!(wfh::Outgoing::new("queue:q", "t").event_type(), "t");
    /// ```
    #[must_use]
    pub fn event_type(&self) -> &str {
        &self.event.event_type
    }

    /// Its data.
    ///
    /// ```
    /// assert_eq!(wfh::Outgoing::new("queue:q", "t").bytes(), None);
    /// ```
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        self.event.data.as_deref()
    }

    /// Its data, read as JSON; for tests.
    ///
    /// # Errors
    /// When it is not the JSON that `T` is read from.
    ///
    /// ```
    /// let outgoing = wfh::Outgoing::new("queue:q", "t").json(&7)?;
    /// assert_eq!(outgoing.read_json::<u32>()?, 7);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn read_json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.bytes().unwrap_or(b"null"))
    }
}
