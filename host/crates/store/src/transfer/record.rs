//! One line.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{Entry, Key, QueueKey, Value};

/// The version of the format.
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    wfh_store: u32,
    exported_at_ms: u64,
}

impl Header {
    pub(super) fn new(exported_at_ms: u64) -> Self {
        Self { wfh_store: VERSION, exported_at_ms }
    }

    /// Whether the line begins an export that this version reads.
    pub(super) fn check(line: &[u8]) -> Result<(), String> {
        let header: Self = serde_json::from_slice(line).map_err(|error| {
            format!(
                "an export begins with {{\"wfh_store\":{VERSION},\"exported_at_ms\":...}}: {error}"
            )
        })?;
        match header.wfh_store {
            VERSION => Ok(()),
            other => Err(format!("an export of version {other}; this one reads {VERSION}")),
        }
    }
}

/// A line after the first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Record {
    Value(ValueRecord),
    Entry(EntryRecord),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ValueRecord {
    pub(super) key: String,
    #[serde(serialize_with = "encode", deserialize_with = "decode")]
    pub(super) bytes: Bytes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at_ms: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryRecord {
    pub(super) queue: String,
    pub(super) id: String,
    #[serde(serialize_with = "encode", deserialize_with = "decode")]
    pub(super) body: Bytes,
    #[serde(serialize_with = "encode", deserialize_with = "decode")]
    pub(super) state: Bytes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<String>,
    pub(super) due_at_ms: u64,
    /// For whoever reads the file; an import begins anew.
    pub(super) appended_at_ms: u64,
    pub(super) receives: u32,
}

impl ValueRecord {
    pub(super) fn new(key: &Key, value: Value) -> Self {
        let Value { bytes, expires_at_ms, .. } = value;
        Self { key: key.to_string(), bytes, expires_at_ms }
    }
}

impl EntryRecord {
    pub(super) fn new(queue: &QueueKey, entry: Entry) -> Self {
        Self {
            queue: queue.to_string(),
            id: entry.id,
            body: entry.body,
            state: entry.state,
            group: entry.group,
            due_at_ms: entry.due_at_ms,
            appended_at_ms: entry.appended_at_ms,
            receives: entry.receives,
        }
    }
}

fn encode<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&base64::display::Base64Display::new(bytes, &STANDARD))
}

fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    STANDARD.decode(text.as_bytes()).map(Bytes::from).map_err(D::Error::custom)
}
