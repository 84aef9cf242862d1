//! Events as a handler sees them: a payload with a type, and where it came from.

mod payload;

use std::ops::Deref;

pub use payload::{Payload, Raw};

use crate::envelope::{Delivery, Envelope};
use crate::reply::{IntoReply, Reply};
use crate::{Context, Error, Reject};

/// One event, its payload read as `T`.
///
/// `T` is anything that [`serde`] reads from JSON, or [`Raw`] for the bytes as they came. A payload
/// that does not parse never reaches the handler: the event is rejected, with the reason. The event
/// dereferences to its payload.
///
/// ```
/// use serde::Deserialize;
/// use wfh::{Event, Result};
///
/// #[derive(Deserialize)]
/// struct Order {
///     total: u32,
/// }
///
/// async fn handle(order: Event<Order>) -> Result<()> {
///     wfh::tracing::info!(id = order.id(), attempt = order.attempt(), total = order.total, "order");
///     Ok(())
/// }
/// # use wfh::test::{Delivery, Host};
/// # Host::new().event(handle, Delivery::json(r#"{"total": 7}"#)).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Event<T> {
    /// The payload.
    pub data: T,
    delivery: Delivery,
    context: Context,
    /// Its place in the batch.
    pub(crate) index: u32,
}

impl<T> Event<T> {
    /// The payload alone.
    ///
    /// ```
    /// fn names(events: Vec<wfh::Event<String>>) -> Vec<String> {
    ///     events.into_iter().map(wfh::Event::into_data).collect()
    /// }
    /// ```
    #[must_use]
    pub fn into_data(self) -> T {
        self.data
    }

    /// Identifies the event within its source.
    ///
    /// ```
    /// fn id<T>(event: &wfh::Event<T>) -> &str { event.id() }
    /// ```
    #[must_use]
    pub fn id(&self) -> &str {
        &self.envelope().id
    }

    /// Where the event comes from, such as `kafka://orders` or the route.
    ///
    /// ```
    /// fn is_ours<T>(event: &wfh::Event<T>) -> bool { event.source().starts_with("/shop/") }
    /// ```
    #[must_use]
    pub fn source(&self) -> &str {
        &self.envelope().source
    }

    /// What kind of event it is, such as `com.example.order.paid`.
    ///
    /// ```
    /// fn is_paid<T>(event: &wfh::Event<T>) -> bool { event.event_type() == "com.example.order.paid" }
    /// ```
    #[must_use]
    pub fn event_type(&self) -> &str {
        &self.envelope().event_type
    }

    /// What the event is about within its source.
    ///
    /// ```
    /// fn path<T>(event: &wfh::Event<T>) -> &str { event.subject().unwrap_or("/") }
    /// ```
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.envelope().subject.as_deref()
    }

    /// When it happened, as an RFC 3339 timestamp.
    ///
    /// ```
    /// fn has_time<T>(event: &wfh::Event<T>) -> bool { event.time().is_some() }
    /// ```
    #[must_use]
    pub fn time(&self) -> Option<&str> {
        self.envelope().time.as_deref()
    }

    /// The media type of the payload.
    ///
    /// ```
    /// fn is_jpeg(event: &wfh::Event<wfh::Raw>) -> bool { event.datacontenttype() == Some("image/jpeg") }
    /// ```
    #[must_use]
    pub fn datacontenttype(&self) -> Option<&str> {
        self.envelope().datacontenttype.as_deref()
    }

    /// A URI of the schema that the payload follows.
    ///
    /// ```
    /// fn schema<T>(event: &wfh::Event<T>) -> Option<&str> { event.dataschema() }
    /// ```
    #[must_use]
    pub fn dataschema(&self) -> Option<&str> {
        self.envelope().dataschema.as_deref()
    }

    /// A further CloudEvents attribute, by name.
    ///
    /// ```
    /// fn shard<T>(event: &wfh::Event<T>) -> Option<&str> { event.extension("shard") }
    /// ```
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<&str> {
        value(&self.envelope().extensions, name).map(String::as_str)
    }

    /// All further CloudEvents attributes.
    ///
    /// ```
    /// fn count<T>(event: &wfh::Event<T>) -> usize { event.extensions().count() }
    /// ```
    pub fn extensions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.envelope().extensions.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Which attempt this is, counted from 1.
    ///
    /// ```
    /// fn is_retry<T>(event: &wfh::Event<T>) -> bool { event.attempt() > 1 }
    /// ```
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.delivery.attempt
    }

    /// The same for every attempt at this event and different for any other: an idempotency key
    /// towards other systems.
    ///
    /// ```
    /// fn key<T>(event: &wfh::Event<T>) -> &str { event.event_key() }
    /// ```
    #[must_use]
    pub fn event_key(&self) -> &str {
        &self.delivery.event_key
    }

    /// The W3C trace context of the delivery. Outgoing calls carry it by themselves.
    ///
    /// ```
    /// fn is_traced<T>(event: &wfh::Event<T>) -> bool { event.traceparent().is_some() }
    /// ```
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.delivery.traceparent.as_deref()
    }

    /// The vendors' part of the trace context.
    ///
    /// ```
    /// fn vendors<T>(event: &wfh::Event<T>) -> Option<&str> { event.tracestate() }
    /// ```
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.delivery.tracestate.as_deref()
    }

    /// The key of the source's record, such as a Kafka key; raw.
    ///
    /// ```
    /// fn customer<T>(event: &wfh::Event<T>) -> Option<&str> { std::str::from_utf8(event.key()?).ok() }
    /// ```
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.delivery.key.as_deref()
    }

    /// The first header of the source's record or request with this name, in any case; raw.
    ///
    /// ```
    /// fn tenant<T>(event: &wfh::Event<T>) -> Option<&[u8]> { event.header("x-tenant") }
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The headers of the source's record or request; raw, in order, with repetitions.
    ///
    /// ```
    /// fn count<T>(event: &wfh::Event<T>) -> usize { event.headers().count() }
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.delivery.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// What the trigger knows about the delivery, by name: `topic`, `partition`, `route`, ...
    ///
    /// ```
    /// fn topic<T>(event: &wfh::Event<T>) -> &str { event.attribute("topic").unwrap_or("none") }
    /// ```
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        value(&self.delivery.attributes, name).map(String::as_str)
    }

    /// The call this event came with.
    ///
    /// ```
    /// fn is_last<T>(event: &wfh::Event<T>) -> bool { event.attempt() >= event.context().attempts_max() }
    /// ```
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    fn envelope(&self) -> &Envelope {
        &self.delivery.event
    }
}

impl<T> Deref for Event<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

fn value<'a, V>(pairs: &'a [(String, V)], name: &str) -> Option<&'a V> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

impl<T: Payload> Event<T> {
    /// Reads the payload; what does not parse is rejected.
    pub(crate) fn read(
        mut delivery: Delivery,
        context: Context,
        index: u32,
    ) -> Result<Self, Error> {
        let data = delivery.event.data.take();
        match T::from_data(data) {
            Ok(data) => Ok(Self { data, delivery, context, index }),
            Err(problem) => Err(Reject::new(format_args!(
                "the data is not the {} that the function expects: {problem}",
                short_name::<T>()
            ))
            .into()),
        }
    }
}

/// The type's name without the modules it is in.
fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let generics = name.find('<').unwrap_or(name.len());
    let start = name.get(..generics).and_then(|path| path.rfind("::")).map_or(0, |at| at + 2);
    name.get(start..).unwrap_or(name)
}

/// Calls a handler of single events.
pub(crate) async fn call<H, F, T, R, E>(
    handler: H,
    delivery: Delivery,
    context: Context,
) -> Result<Reply, Error>
where
    H: FnOnce(Event<T>) -> F,
    F: Future<Output = Result<R, E>>,
    T: Payload,
    R: IntoReply,
    E: Into<Error>,
{
    let event = Event::read(delivery, context, 0)?;
    handler(event).await.map_err(Into::into)?.into_reply()
}
