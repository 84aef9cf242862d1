//! Idempotency keys: what of a call makes it equal to another.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request};
use sha2::{Digest, Sha256};
use wfh_event::{FunctionName, KeyPart};

use crate::cloud_event::item_of_any_request;
use crate::{Item, new_invocation_id};

/// A call's own text for a part, or the name of the part that it lacks.
type Found = Result<String, String>;

fn of_item(part: &KeyPart, item: &Item) -> Found {
    let found = match part {
        KeyPart::Header(name) => header_of(item, name),
        KeyPart::Attribute(name) => attribute_of(item, name),
        KeyPart::Json(path) => item.event.data.as_ref().and_then(|data| path.select(data)),
    };
    found.filter(|text| !text.is_empty()).ok_or_else(|| part.to_string())
}

fn header_of(item: &Item, name: &str) -> Option<String> {
    if let Some(origin) = &item.http {
        return joined(&origin.headers, name);
    }
    let (_, value) = item.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
    Some(String::from_utf8_lossy(value).into_owned())
}

fn attribute_of(item: &Item, name: &str) -> Option<String> {
    let of_event = item.event.attributes().find(|(found, _)| *found == name);
    let of_delivery = || {
        let found = item.attributes.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.clone())
    };
    of_event.map(|(_, value)| value.to_owned()).or_else(of_delivery)
}

fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// The key of an item, as the name under which its result is kept.
pub(crate) fn key_of_item(function: &FunctionName, parts: &[KeyPart], item: &Item) -> Found {
    let found: Result<Vec<String>, String> = parts.iter().map(|part| of_item(part, item)).collect();
    found.map(|found| name(function, &found))
}

/// The key of a request whose body is there: that of the event which the request is, so that it is
/// the same when it is accepted to run later.
pub(crate) fn key_of_request(
    function: &FunctionName,
    parts: &[KeyPart],
    request: Request<Bytes>,
    route: &Arc<str>,
) -> Found {
    // Its id is in no key of a request that does not bring one.
    key_of_item(function, parts, &item_of_any_request(new_invocation_id(), route, request))
}

/// Each part goes in with its length: `a` and `bc` must not be `ab` and `c`.
fn name(function: &FunctionName, parts: &[String]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    format!("idempotency/{function}/{}", hex(&hasher.finalize()))
}

/// What must be the same under one key: of a request method, path, query and body, of another event
/// its data.
pub(crate) fn payload_of_item(item: &Item) -> String {
    let data = item.event.data.as_deref().unwrap_or_default();
    match &item.http {
        Some(origin) => {
            let target = origin.uri.path_and_query().map_or("/", |target| target.as_str());
            payload_of_request(origin.method.as_str(), target, data)
        }
        None => hex(&Sha256::digest(data)),
    }
}

/// The same, of a request.
pub(crate) fn payload_of_request(method: &str, target: &str, body: &[u8]) -> String {
    let mut hasher = Sha256::new();
    for part in [method.as_bytes(), b" ", target.as_bytes(), b"\n", body] {
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wfh_event::{Event, EventId};

    fn item(data: &str) -> Item {
        let mut event = Event::new(EventId::new("e-1").unwrap(), "/orders", "order.paid");
        event.data = Some(Bytes::copy_from_slice(data.as_bytes()));
        Item {
            headers: vec![("Tenant".into(), Bytes::from_static(b"acme"))],
            attributes: vec![("topic".into(), "orders".into())],
            ..Item::new(event, "k".into())
        }
    }

    fn key(parts: &[KeyPart], item: &Item) -> Found {
        key_of_item(&"shop".parse().unwrap(), parts, item)
    }

    fn json(path: &str) -> KeyPart {
        KeyPart::Json(path.parse().unwrap())
    }

    #[test]
    fn every_part_counts_and_their_borders_too() {
        let header = KeyPart::Header("tenant".into());
        let parts = [header, KeyPart::Attribute("topic".into()), json("$.a"), json("$.b")];
        let first = key(&parts, &item(r#"{"a":"x","b":"yz"}"#)).unwrap();
        let same = key(&parts, &item(r#"{"b":"yz","a":"x","c":1}"#)).unwrap();
        let moved = key(&parts, &item(r#"{"a":"xy","b":"z"}"#)).unwrap();
        assert_eq!(first, same, "what is no part of the key changed it");
        assert_ne!(first, moved, "two calls share a key because their parts run together");
        assert!(first.starts_with("idempotency/shop/"), "a key outside its function: {first}");
    }

    #[test]
    fn a_missing_part_is_named() {
        for (part, name) in [
            (KeyPart::Header("absent".into()), "header:absent"),
            (KeyPart::Attribute("absent".into()), "attribute:absent"),
            (json("$.absent"), "json:$.absent"),
        ] {
            assert_eq!(key(&[part], &item("{}")).unwrap_err(), name);
        }
        assert_eq!(key(&[json("$.a")], &item("not json")).unwrap_err(), "json:$.a");
    }
}
