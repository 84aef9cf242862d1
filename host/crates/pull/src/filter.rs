//! Which events a trigger gives to its target.

use std::cell::OnceCell;

use serde_json::{Map, Value};
use wfh_invoke::Item;
use wfh_pattern::Pattern;

/// Patterns on an event's key, headers and value; one of them has to match. Without any, every event
/// passes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter(Vec<Pattern>);

/// Whether an event passes a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It does.
    Passes,
    /// No pattern matches.
    Filtered,
    /// A pattern asks for a field of its value, which is no JSON.
    NotJson,
}

impl Filter {
    /// Lets through what one of `patterns` matches.
    #[must_use]
    pub fn new(patterns: Vec<Pattern>) -> Self {
        Self(patterns)
    }

    /// Whether everything passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Looks at an event.
    #[must_use]
    pub fn check(&self, item: &Item) -> Passage {
        if self.0.is_empty() {
            return Passage::Passes;
        }
        let subject = Subject {
            item,
            key: OnceCell::new(),
            headers: OnceCell::new(),
            value: OnceCell::new(),
        };
        if self.0.iter().any(|pattern| pattern.matches(|name| subject.field(name))) {
            return Passage::Passes;
        }
        match subject.value.get() {
            Some(None) if item.event.data.is_some() => Passage::NotJson,
            _ => Passage::Filtered,
        }
    }
}

/// An event as a document of `key`, `headers` and `value`, each read when a pattern asks for it.
struct Subject<'i> {
    item: &'i Item,
    key: OnceCell<Option<Value>>,
    headers: OnceCell<Value>,
    value: OnceCell<Option<Value>>,
}

impl Subject<'_> {
    fn field(&self, name: &str) -> Option<&Value> {
        match name {
            "key" => self.key.get_or_init(|| text(self.item.key.as_deref()?)).as_ref(),
            "headers" => Some(self.headers.get_or_init(|| headers(self.item))),
            "value" => self.value.get_or_init(|| json(self.item.event.data.as_deref()?)).as_ref(),
            _ => None,
        }
    }
}

fn json(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

fn text(bytes: &[u8]) -> Option<Value> {
    std::str::from_utf8(bytes).ok().map(Value::from)
}

/// Headers whose values are text; several of one name are a list.
fn headers(item: &Item) -> Value {
    let mut all = Map::new();
    for (name, value) in &item.headers {
        let Some(value) = text(value) else { continue };
        match all.get_mut(name) {
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => {
                all.insert(name.clone(), value);
            }
        }
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;
    use wfh_event::{Event, EventId};

    fn item(data: Option<&'static str>) -> Item {
        let mut event = Event::new(EventId::new("1").unwrap(), "kafka://t", "t");
        event.data = data.map(|text| Bytes::from_static(text.as_bytes()));
        let mut item = Item::new(event, "k".to_owned());
        item.key = Some(Bytes::from_static(b"user-7"));
        item.headers = vec![
            ("kind".to_owned(), Bytes::from_static(b"order")),
            ("tag".to_owned(), Bytes::from_static(b"a")),
            ("tag".to_owned(), Bytes::from_static(b"b")),
            ("raw".to_owned(), Bytes::from_static(&[0xff])),
        ];
        item
    }

    #[track_caller]
    fn check(pattern: Value, data: Option<&'static str>, expected: Passage) {
        let Value::Object(fields) = pattern else { panic!("a pattern is an object") };
        let filter = Filter::new(vec![Pattern::parse(&fields).unwrap()]);
        assert_eq!(filter.check(&item(data)), expected);
    }

    #[test]
    fn key_headers_and_value_are_looked_at() {
        let json = Some(r#"{"total":5}"#);
        check(json!({ "key": [{ "prefix": "user-" }] }), json, Passage::Passes);
        check(json!({ "key": ["user-8"] }), json, Passage::Filtered);
        check(json!({ "headers": { "kind": ["order"], "tag": ["b"] } }), json, Passage::Passes);
        check(json!({ "headers": { "raw": [{ "exists": true }] } }), json, Passage::Filtered);
        check(json!({ "value": { "total": [{ "numeric": [">", 4] }] } }), json, Passage::Passes);
        check(json!({ "value": { "total": [{ "numeric": [">", 5] }] } }), json, Passage::Filtered);
    }

    #[test]
    fn a_value_that_is_no_json_matches_nothing_and_is_told_apart() {
        let pattern = json!({ "value": { "total": [5] } });
        check(pattern.clone(), Some("not json"), Passage::NotJson);
        check(pattern, None, Passage::Filtered);
        check(json!({ "key": ["user-7"] }), Some("not json"), Passage::Passes);
    }
}
