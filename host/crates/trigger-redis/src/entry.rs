//! An entry as an event, and back.

use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wfh_event::{Event, EventId};
use wfh_invoke::{
    Item, STREAM_CONTENT_TYPE, STREAM_HOPS, event_key, new_invocation_id, stream_attributes,
};
use wfh_pull::Raw;
use wfh_telemetry::{BAGGAGE, TRACEPARENT, TRACESTATE, TraceContext};

use crate::answer::Fields;

/// The fields of CloudEvents attributes begin with it.
const CE_PREFIX: &str = "ce-";
/// The payload of a CloudEvent.
const DATA: &str = "data";
/// The key of an event, where its sender gave one.
const KEY: &str = "wfh-key";

/// The type of an entry that is no CloudEvent.
const ENTRY_TYPE: &str = "wfh.redis.entry";
/// The type of an element of a list.
const ELEMENT_TYPE: &str = "wfh.redis.element";

/// Where entries come from.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The key of the stream or list.
    pub(crate) key: String,
    pub(crate) group: String,
}

/// What a server gave.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) origin: Arc<Origin>,
    pub(crate) id: String,
    pub(crate) payload: Payload,
}

#[derive(Debug)]
pub(crate) enum Payload {
    Fields(Fields),
    Element(Bytes),
}

impl Entry {
    fn fields(&self) -> &[(Bytes, Bytes)] {
        match &self.payload {
            Payload::Fields(fields) => fields,
            Payload::Element(_) => &[],
        }
    }

    /// The first field of a name.
    fn field(&self, name: &str) -> Option<&Bytes> {
        self.fields().iter().find(|(known, _)| known == name.as_bytes()).map(|(_, value)| value)
    }

    /// A field that is text.
    fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.field(name)?).ok()
    }

    fn derived(&self, kind: &str) -> Event {
        let Origin { key, .. } = &*self.origin;
        // An id of that form is always one.
        let id = EventId::new(&format!("redis://{key}/{}", self.id));
        let id = id.unwrap_or_else(|| new_invocation_id().into());
        let mut event = Event::new(id, format!("redis://{key}"), kind);
        event.time = self.time();
        event
    }

    /// The time that is in the id of a stream's entry.
    fn time(&self) -> Option<String> {
        let (ms, _) = self.id.split_once('-')?;
        Timestamp::from_millisecond(ms.parse().ok()?).ok().map(|time| time.to_string())
    }

    fn event(&self) -> Event {
        match &self.payload {
            Payload::Element(data) => {
                let mut event = self.derived(ELEMENT_TYPE);
                event.data = Some(data.clone());
                event
            }
            Payload::Fields(_) => self.cloud_event().unwrap_or_else(|| self.plain_event()),
        }
    }

    /// Binary mode. What it does not say is derived; one that is broken is an entry like any other.
    fn cloud_event(&self) -> Option<Event> {
        self.text("ce-id").or_else(|| self.text("ce-type"))?;
        let derived = self.derived(ENTRY_TYPE);
        let mut attributes: Vec<(&str, &str)> = vec![
            ("specversion", "1.0"),
            ("id", derived.id.as_str()),
            ("source", &derived.source),
            ("type", &derived.r#type),
        ];
        attributes.extend(self.fields().iter().filter_map(|(name, value)| {
            let name = std::str::from_utf8(name).ok()?.strip_prefix(CE_PREFIX)?;
            Some((name, std::str::from_utf8(value).ok()?))
        }));
        let content_type = self.text(STREAM_CONTENT_TYPE).map(str::to_owned);
        Event::from_attributes(attributes, content_type, self.field(DATA).cloned()).ok()
    }

    /// All fields as one JSON object; a value that is no text is `{"base64": "..."}`.
    fn plain_event(&self) -> Event {
        let mut object = Map::new();
        for (name, value) in self.fields() {
            if [TRACEPARENT.as_str(), TRACESTATE.as_str(), STREAM_HOPS]
                .iter()
                .any(|own| name == own)
            {
                continue;
            }
            let value = match std::str::from_utf8(value) {
                Ok(text) => Value::from(text),
                Err(_) => json!({ "base64": base64::prelude::BASE64_STANDARD.encode(value) }),
            };
            object.insert(String::from_utf8_lossy(name).into_owned(), value);
        }
        let mut event = self.derived(ENTRY_TYPE);
        event.datacontenttype = Some("application/json".to_owned());
        event.data = Some(Value::Object(object).to_string().into());
        event
    }

    fn trace(&self) -> Option<TraceContext> {
        let [parent, state, baggage] =
            [TRACEPARENT, TRACESTATE, BAGGAGE].map(|name| self.text(name.as_str()));
        TraceContext::below(parent, state, baggage)
    }
}

impl Raw for Entry {
    fn item(&self) -> (Item, u8) {
        let event = self.event();
        let event_key = event_key(&event.source, event.id.as_str());
        let named = match self.payload {
            Payload::Fields(_) => ["stream", "entry"],
            Payload::Element(_) => ["list", "element"],
        };
        let Origin { key, group } = &*self.origin;
        let attributes = named.into_iter().zip([key, &self.id]).chain([("group", group)]);
        let header = |(name, value): &(Bytes, Bytes)| {
            (String::from_utf8_lossy(name).into_owned(), value.clone())
        };
        let item = Item {
            key: self.field(KEY).cloned(),
            headers: self.fields().iter().map(header).collect(),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value.clone())).collect(),
            trace: self.trace(),
            ..Item::new(event, event_key)
        };
        let hops = self.text(STREAM_HOPS).and_then(|text| text.parse().ok());
        (item, hops.unwrap_or_default())
    }

    fn bytes(&self) -> u64 {
        match &self.payload {
            Payload::Element(data) => data.len() as u64,
            Payload::Fields(fields) => {
                fields.iter().map(|(name, value)| (name.len() + value.len()) as u64).sum()
            }
        }
    }
}

/// An event as the fields of an entry, which is read as the same event again.
pub(crate) fn fields(item: Item, hops: u8) -> Fields {
    let mut fields = Fields::new();
    let mut add = |name: String, value: Bytes| fields.push((name.into(), value));
    for (name, value) in stream_attributes(CE_PREFIX, &item, hops) {
        add(name, value.into());
    }
    if let Some(key) = item.key {
        add(KEY.to_owned(), key);
    }
    for (name, value) in item.headers {
        if !is_ours(&name) {
            add(name, value);
        }
    }
    if let Some(data) = item.event.data {
        add(DATA.to_owned(), data);
    }
    fields
}

/// Of an event that is passed on, what the fields above say is not said twice.
fn is_ours(name: &str) -> bool {
    name.starts_with(CE_PREFIX)
        || [DATA, STREAM_CONTENT_TYPE, STREAM_HOPS, KEY].contains(&name)
        || [TRACEPARENT, TRACESTATE, BAGGAGE].iter().any(|ours| ours == name)
}

#[cfg(test)]
mod tests;
