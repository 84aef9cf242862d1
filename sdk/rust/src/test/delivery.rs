//! Events to give to a handler.

use serde::Serialize;

use crate::envelope;

/// An event on its way to a handler under test.
///
/// ```
/// use wfh::test::Delivery;
///
/// let delivery = Delivery::json(r#"{"total": 7}"#).event_type("com.example.order.paid").attempt(2);
/// ```
#[derive(Debug, Clone)]
pub struct Delivery(pub(super) envelope::Delivery);

impl Delivery {
    /// An event without data.
    ///
    /// ```
    /// let tick = wfh::test::Delivery::empty();
    /// ```
    #[must_use]
    pub fn empty() -> Self {
        let event = envelope::Envelope {
            id: "test-1".to_owned(),
            source: "/test".to_owned(),
            event_type: "wfh.test".to_owned(),
            ..Default::default()
        };
        let event_key = format!("{}#{}", event.source, event.id);
        Self(envelope::Delivery { event, attempt: 1, event_key, ..Default::default() })
    }

    /// An event whose data is this text, said to be JSON; it need not be.
    ///
    /// ```
    /// let broken = wfh::test::Delivery::json("{");
    /// ```
    pub fn json(text: impl Into<String>) -> Self {
        Self::bytes("application/json", text.into())
    }

    /// An event whose data is this value as JSON.
    ///
    /// # Panics
    /// When the value is none that JSON can hold.
    ///
    /// ```
    /// let delivery = wfh::test::Delivery::of(&["a", "b"]);
    /// ```
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => Self::json(text),
            Err(error) => panic!("the value cannot be written as JSON: {error}"),
        }
    }

    /// An event with data of any media type.
    ///
    /// ```
    /// let picture = wfh::test::Delivery::bytes("image/jpeg", [0xff, 0xd8]);
    /// ```
    pub fn bytes(datacontenttype: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        let mut delivery = Self::empty();
        delivery.0.event.datacontenttype = Some(datacontenttype.into());
        delivery.0.event.data = Some(data.into());
        delivery
    }

    /// Sets the id; the event key follows it.
    ///
    /// ```
    /// let delivery = wfh::test::Delivery::empty().id("order-7");
    /// ```
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.0.event.id = id.into();
        self.keyed()
    }

    /// Sets the source; the event key follows it.
    ///
    /// ```
    /// let delivery = wfh::test::Delivery::empty().source("kafka://orders");
    /// ```
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.0.event.source = source.into();
        self.keyed()
    }

    fn keyed(mut self) -> Self {
        self.0.event_key = format!("{}#{}", self.0.event.source, self.0.event.id);
        self
    }

    /// Sets the type.
    ///
    /// ```
    /// let delivery = wfh::test::Delivery::empty().event_type("com.example.order.paid");
    /// ```
    #[must_use]
    pub fn event_type(mut self, event_type: impl Into<String>) -> Self {
        self.0.event.event_type = event_type.into();
        self
    }

    /// Sets the subject.
    ///
    /// ```
    /// let delivery = wfh::test::Delivery::empty().subject("/orders/7");
    /// ```
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.0.event.subject = Some(subject.into());
        self
    }

    /// Adds a CloudEvents extension attribute.
    ///
    /// ```
    /// let delivery = wfh::test::Delivery::empty().extension("shard", "7");
    /// ```
    #[must_use]
    pub fn extension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.event.extensions.push((name.into(), value.into()));
        self
    }

    /// Sets the attempt, counted from 1.
    ///
    /// ```
    /// let delivery = wfh::test::Delivery::empty().attempt(2);
    /// ```
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.0.attempt = attempt;
        self
    }

    /// Sets the key of the source's record.
    ///
    /// ```
    /// let delivery = wfh::test::Delivery::empty().key("customer-3");
    /// ```
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.0.key = Some(key.into());
        self
    }

    /// Adds a header of the source's record.
    ///
    /// ```
    /// let delivery = wfh::test::Delivery::empty().header("x-tenant", "acme");
    /// ```
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.0.headers.push((name.into(), value.into()));
        self
    }

    /// Adds what the trigger knows.
    ///
    /// ```
    /// let delivery = wfh::test::Delivery::empty().attribute("topic", "orders");
    /// ```
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.attributes.push((name.into(), value.into()));
        self
    }
}
