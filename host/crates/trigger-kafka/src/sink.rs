//! Events to a topic, out of the outbox of a stream.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::types::RDKafkaErrorCode;
use wfh_event::{Failure, FailureClass};
use wfh_invoke::{Record, STREAM_CONTENT_TYPE, STREAM_HOPS, Sending, Sink, stream_attributes};
use wfh_store::Op;
use wfh_telemetry::{BAGGAGE, TRACEPARENT, TRACESTATE};

use crate::record::CE_PREFIX;
use crate::{KafkaTriggerError, Settings};

/// How long an event waits that the brokers do not take now.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a record may wait for room in the client.
const ROOM_MAX: Duration = Duration::from_secs(10);

/// What a producer has unless the manifest says otherwise.
const OURS: &[(&str, &str)] = &[
    ("enable.idempotence", "true"),
    ("linger.ms", "2"),
    ("message.timeout.ms", "30000"),
    ("queue.buffering.max.messages", "10000"),
    ("queue.buffering.max.kbytes", "65536"),
    ("reconnect.backoff.max.ms", "2000"),
];

/// A topic as a target.
pub struct KafkaSink {
    topic: String,
    producer: FutureProducer,
}

impl KafkaSink {
    /// Sends to `topic`, with settings that [`Settings::check`] has passed. It MUST be made inside a
    /// runtime; no broker is asked yet.
    ///
    /// # Errors
    /// The options are not librdkafka's.
    pub fn new(settings: &Settings, topic: String) -> Result<Self, KafkaTriggerError> {
        Ok(Self { topic, producer: settings.client(OURS).create()? })
    }

    async fn send(&self, record: &Record) -> Result<Vec<Op>, Failure> {
        let Some(item) = record.item(1, None) else {
            return Err(Failure::new(FailureClass::Invalid, "it is no event"));
        };
        let mut headers = Headers(OwnedHeaders::new());
        for (name, value) in stream_attributes(CE_PREFIX, &item, record.hops()) {
            headers.add(&name, value.as_bytes());
        }
        for (name, value) in item.headers.iter().filter(|(name, _)| !is_ours(name)) {
            headers.add(name, value);
        }
        let kafka = FutureRecord {
            topic: &self.topic,
            partition: None,
            payload: item.event.data.as_deref(),
            key: item.key.as_deref(),
            timestamp: None,
            headers: Some(headers.0),
        };
        let sending = Sending::begin(&item, "kafka", &self.topic);
        let sent = match self.producer.send(kafka, ROOM_MAX).await {
            Ok(_) => Ok(Vec::new()),
            Err((error, _)) => Err(refused(&error)),
        };
        sending.end(&sent);
        sent
    }
}

/// Of an event that is passed on, what the headers above say is not said twice.
fn is_ours(name: &str) -> bool {
    name.starts_with(CE_PREFIX)
        || [STREAM_CONTENT_TYPE, STREAM_HOPS].contains(&name.to_ascii_lowercase().as_str())
        || [TRACEPARENT, TRACESTATE, BAGGAGE]
            .iter()
            .any(|ours| name.eq_ignore_ascii_case(ours.as_str()))
}

struct Headers(OwnedHeaders);

impl Headers {
    fn add(&mut self, key: &str, value: &[u8]) {
        let headers = std::mem::take(&mut self.0);
        self.0 = headers.insert(Header { key, value: Some(value) });
    }
}

/// What another try does not mend is given up; everything else waits.
fn refused(error: &KafkaError) -> Failure {
    let detail = error.to_string();
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::InvalidMessage
            | RDKafkaErrorCode::InvalidTopic
            | RDKafkaErrorCode::InvalidRecord,
        ) => Failure::new(FailureClass::Rejected, detail),
        _ => Failure::new(FailureClass::Unavailable, detail).with_retry_after(PAUSE),
    }
}

impl Sink for KafkaSink {
    fn bring<'a>(
        &'a self,
        events: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Vec<Result<Vec<Op>, Failure>>> {
        Box::pin(join_all(events.iter().map(|record| self.send(record))))
    }
}
