//! What is said of an event's end: dead letters, and the records that destinations receive.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wfh_event::{Event, EventId, Failure, Target};
use wfh_store::{Expect, Key, Op};
use wfh_telemetry::TRACEPARENT;

use super::key::hex;
use super::record::{Progress, Record, StoredClaim, Try, encode, shortened};
use super::retry::Condition;
use crate::{EventReply, Outgoing};

/// The keys of dead letters begin with it.
pub const DEAD_LETTERS: &str = "dead-letter/";

/// An event that failed for good, with everything needed to understand it and to send it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its id.
    pub id: String,
    /// The function that did not take it.
    pub function: String,
    /// The function's version then.
    pub function_version: String,
    /// When it died, in milliseconds since 1970.
    pub dead_at_ms: u64,
    /// Why: `RetriesExhausted`, `EventAgeExceeded` or `Rejected`.
    pub condition: String,
    /// The class of the last failure.
    pub class: String,
    /// The last failure, for operators; a trap has its backtrace.
    pub detail: String,
    /// The end of what the function printed in its last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_tail: Option<String>,
    /// Tries in all.
    pub attempts: u32,
    /// How the last tries ended.
    pub tries: Vec<Try>,
    /// The queue it came from.
    pub queue: String,
    /// The event as it stood there.
    pub record: Record,
    /// The idempotency key under which it died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) claim: Option<StoredClaim>,
}

impl DeadLetter {
    /// The trace that it belongs to.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.record.traceparent.as_deref()?.split('-').nth(1)
    }

    #[cfg(test)]
    pub(crate) fn new(
        id: &str,
        function: &str,
        queue: &str,
        record: Record,
        progress: &Progress,
    ) -> Self {
        Self {
            id: id.to_owned(),
            function: function.to_owned(),
            function_version: "v1".to_owned(),
            dead_at_ms: 1_000,
            condition: "Rejected".to_owned(),
            class: "rejected".to_owned(),
            detail: "no".to_owned(),
            log_tail: None,
            attempts: progress.attempts,
            tries: progress.tries.clone(),
            queue: queue.to_owned(),
            record,
            claim: None,
        }
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        encode(self)
    }

    /// Reads a letter.
    ///
    /// # Errors
    /// It was not written by this host.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// An id that is the same whenever it is made from the same parts.
pub(crate) fn derived_id(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize();
    hex(digest.get(..16).unwrap_or(&digest))
}

/// The id of what comes of an event: its letter, or the record that its destination receives.
pub(crate) fn end_id(function: &str, record: &Record) -> String {
    let (source, id) = (record.event.source.as_str(), record.event.id.as_str());
    derived_id(&["end", function, source, id, &record.redrives.to_string()])
}

/// How an asynchronous call ended, for its destination.
pub(crate) struct Ended<'a> {
    pub(crate) function: &'a str,
    pub(crate) version: String,
    pub(crate) record: &'a Record,
    pub(crate) progress: &'a Progress,
    pub(crate) now_ms: u64,
    pub(crate) result: Result<&'a EventReply, (&'a Failure, Condition)>,
    pub(crate) claim: Option<StoredClaim>,
}

impl Ended<'_> {
    fn condition(&self) -> Condition {
        match self.result {
            Ok(_) => Condition::Success,
            Err((_, condition)) => condition,
        }
    }

    /// What a destination receives. A stream gets an event that failed as it came, so that whoever
    /// reads the stream can send it again; others get a record of the end.
    pub(crate) fn outgoing(&self, target: &Target) -> Outgoing {
        let hops = self.record.hops.saturating_add(1);
        let outgoing = |event| {
            let (target, headers) = (target.clone(), Vec::new());
            Outgoing { target, event, key: None, headers, delay: None, hops }
        };
        let (Target::Stream(_), Err((failure, condition))) = (target, self.result) else {
            return outgoing(self.event());
        };
        let Some(item) = self.record.item(self.progress.attempts, None) else {
            return outgoing(self.event());
        };
        let mut headers = item.headers;
        headers.extend(self.error_headers(failure, condition));
        Outgoing { key: item.key, headers, ..outgoing(item.event) }
    }

    /// Why an event failed, beside its own headers.
    fn error_headers(
        &self,
        failure: &Failure,
        condition: Condition,
    ) -> impl Iterator<Item = (String, Bytes)> {
        let header = |name: &str, value: String| (format!("wfh-error-{name}"), value.into());
        [
            header("class", failure.class.as_str().to_owned()),
            header("code", failure.class.code().as_str().to_owned()),
            header("detail", shortened(&failure.detail)),
            header("condition", condition.as_str().to_owned()),
            header("attempts", self.progress.attempts.to_string()),
            header("function", self.function.to_owned()),
            header("time", timestamp(self.now_ms)),
        ]
        .into_iter()
    }

    /// The record that a destination receives: an event whose data has the fields of Lambda's
    /// destination records.
    pub(crate) fn event(&self) -> Event {
        let kind = match self.result {
            Ok(_) => "wfh.invocation.succeeded",
            Err(_) => "wfh.invocation.failed",
        };
        let id = EventId::new(&end_id(self.function, self.record))
            .unwrap_or_else(|| self.record.invocation.into());
        let mut event = Event::new(id, format!("function:{}", self.function), kind);
        event.subject = Some(self.record.event.id.clone());
        event.time = Some(timestamp(self.now_ms));
        event.datacontenttype = Some("application/json".to_owned());
        event.data = Some(encode(&self.data()));
        if let Some(parent) = &self.record.traceparent {
            event.extensions.insert(TRACEPARENT.to_string(), parent.clone());
        }
        event
    }

    fn data(&self) -> Value {
        let request = &self.record.event;
        let mut data = json!({
            "version": "1.0",
            "timestamp": timestamp(self.now_ms),
            "requestContext": {
                "requestId": self.record.invocation.to_string(),
                "functionArn": format!("function:{}", self.function),
                "condition": self.condition().as_str(),
                "approximateInvokeCount": self.progress.attempts,
                "eventId": request.id,
                "eventSource": request.source,
                "eventType": request.r#type,
                "traceparent": self.record.traceparent,
            },
            "requestPayload": payload(request.data.as_ref().map(|data| &data.0)),
            "attempts": self.progress.tries,
        });
        let Some(fields) = data.as_object_mut() else { return data };
        match self.result {
            Ok(reply) => {
                let context = json!({ "statusCode": 200, "executedVersion": self.version });
                fields.insert("responseContext".to_owned(), context);
                fields.insert("responsePayload".to_owned(), payload(reply.data.as_ref()));
            }
            Err((failure, _)) => {
                let context = json!({
                    "statusCode": failure.class.http_status(),
                    "executedVersion": self.version,
                    "functionError": failure.class.as_str(),
                });
                fields.insert("responseContext".to_owned(), context);
                let response = json!({
                    "errorType": failure.class.code().as_str(),
                    "errorMessage": failure.detail,
                });
                fields.insert("responsePayload".to_owned(), response);
            }
        }
        data
    }

    /// The write of the letter, and its id; only of a failure.
    pub(crate) fn letter_op(&self, queue: &str, ttl: Duration) -> Option<(String, Op)> {
        let letter = self.letter(queue)?;
        let key = Key::new(&format!("{DEAD_LETTERS}{}", letter.id)).ok()?;
        let (bytes, expect, ttl) = (letter.to_bytes(), Expect::Any, Some(ttl));
        Some((letter.id, Op::Put { key, bytes, expect, ttl }))
    }

    fn letter(&self, queue: &str) -> Option<DeadLetter> {
        let (failure, condition) = self.result.err()?;
        Some(DeadLetter {
            id: end_id(self.function, self.record),
            function: self.function.to_string(),
            function_version: self.version.clone(),
            dead_at_ms: self.now_ms,
            condition: condition.as_str().to_owned(),
            class: failure.class.as_str().to_owned(),
            detail: failure.detail.clone(),
            log_tail: failure.log_tail.as_deref().map(str::to_owned),
            attempts: self.progress.attempts,
            tries: self.progress.tries.clone(),
            queue: queue.to_owned(),
            record: self.record.clone(),
            claim: self.claim.clone(),
        })
    }
}

/// RFC 3339, in UTC.
pub(crate) fn timestamp(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).unwrap_or_default().to_string()
}

/// JSON as it is, text as a string, other bytes in base64.
fn payload(data: Option<&Bytes>) -> Value {
    let Some(data) = data else { return Value::Null };
    match serde_json::from_slice(data) {
        Ok(value) => value,
        Err(_) => serde_json::to_value(super::text::Octets(data.clone())).unwrap_or_default(),
    }
}
