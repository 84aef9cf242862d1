//! A record as an event: the Kafka protocol binding of CloudEvents, or an event of ours around it.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use rdkafka::Message as _;
use rdkafka::message::{BorrowedMessage, Headers as _};
use wfh_event::{Event, EventId};
use wfh_invoke::{
    Item, STREAM_CONTENT_TYPE, STREAM_HOPS, event_from_structured, event_key, is_structured,
    new_invocation_id,
};
use wfh_pull::Raw;
use wfh_telemetry::{BAGGAGE, TRACEPARENT, TRACESTATE, TraceContext};

/// The headers of binary mode begin with it.
pub(crate) const CE_PREFIX: &str = "ce_";
/// The type of a record that is no CloudEvent.
const RECORD_TYPE: &str = "wfh.kafka.record";

/// What a broker gave.
#[derive(Debug)]
pub(crate) struct KafkaRecord {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Vec<(String, Bytes)>,
}

impl KafkaRecord {
    pub(crate) fn new(message: &BorrowedMessage<'_>, topic: &Arc<str>) -> Self {
        let headers = message.headers().map(|headers| {
            let header = |header: rdkafka::message::Header<'_, &[u8]>| {
                let value = header.value.map(Bytes::copy_from_slice).unwrap_or_default();
                (header.key.to_owned(), value)
            };
            headers.iter().map(header).collect()
        });
        Self {
            topic: Arc::clone(topic),
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(Bytes::copy_from_slice),
            value: message.payload().map(Bytes::copy_from_slice),
            headers: headers.unwrap_or_default(),
        }
    }

    /// A header's text; one that is no text is as good as absent.
    fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.find_map(|(_, value)| std::str::from_utf8(value).ok())
    }

    fn event(&self) -> Event {
        // One that says it is a CloudEvent and is not is a record like any other: it must not stop
        // its lane, and its bytes must reach the function.
        self.cloud_event().unwrap_or_else(|| self.plain_event())
    }

    fn cloud_event(&self) -> Option<Event> {
        let content_type = self.header(STREAM_CONTENT_TYPE);
        if content_type.is_some_and(is_structured) {
            return event_from_structured(self.value.as_deref()?).ok();
        }
        self.header("ce_specversion")?;
        let attributes = self.headers.iter().filter_map(|(name, value)| {
            Some((name.strip_prefix(CE_PREFIX)?, std::str::from_utf8(value).ok()?))
        });
        Event::from_attributes(attributes, content_type.map(str::to_owned), self.value.clone()).ok()
    }

    fn plain_event(&self) -> Event {
        let Self { topic, partition, offset, .. } = self;
        let id = EventId::new(&format!("kafka://{topic}/{partition}/{offset}"));
        // An id of that form is always one.
        let id = id.unwrap_or_else(|| new_invocation_id().into());
        let mut event = Event::new(id, format!("kafka://{topic}"), RECORD_TYPE);
        event.subject =
            self.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()).map(str::to_owned);
        event.time = self.time();
        event.datacontenttype = self.header(STREAM_CONTENT_TYPE).map(str::to_owned);
        event.data.clone_from(&self.value);
        event
    }

    fn time(&self) -> Option<String> {
        Timestamp::from_millisecond(self.timestamp_ms?).ok().map(|time| time.to_string())
    }

    fn attributes(&self) -> Vec<(String, String)> {
        let mut attributes = vec![
            ("topic".to_owned(), self.topic.to_string()),
            ("partition".to_owned(), self.partition.to_string()),
            ("offset".to_owned(), self.offset.to_string()),
        ];
        attributes.extend(self.time().map(|time| ("timestamp".to_owned(), time)));
        // Headers that are text; the others a function finds among its headers.
        attributes.extend(self.headers.iter().filter_map(|(name, value)| {
            Some((name.clone(), std::str::from_utf8(value).ok()?.to_owned()))
        }));
        attributes
    }

    fn trace(&self) -> Option<TraceContext> {
        let [parent, state, baggage] =
            [TRACEPARENT, TRACESTATE, BAGGAGE].map(|name| self.header(name.as_str()));
        TraceContext::below(parent, state, baggage)
    }
}

impl Raw for KafkaRecord {
    fn item(&self) -> (Item, u8) {
        let event = self.event();
        let event_key = event_key(&event.source, event.id.as_str());
        let item = Item {
            key: self.key.clone(),
            headers: self.headers.clone(),
            attributes: self.attributes(),
            trace: self.trace(),
            ..Item::new(event, event_key)
        };
        let hops = self.header(STREAM_HOPS).and_then(|text| text.parse().ok());
        (item, hops.unwrap_or_default())
    }

    fn bytes(&self) -> u64 {
        let key = self.key.as_ref().map_or(0, Bytes::len);
        (key + self.value.as_ref().map_or(0, Bytes::len)) as u64
    }
}

#[cfg(test)]
mod tests;
