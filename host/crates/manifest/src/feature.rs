//! What a manifest uses that a host may lack.

use std::ops::Range;

use crate::read::Spans;
use crate::{Diagnostic, Manifest, Mode, StoreKind};

/// A part of the manifest that not every build of the host serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feature {
    /// `[queue.NAME]`
    Queues,
    /// `[topic.NAME]`
    Topics,
    /// `[stream.NAME]`
    Streams,
    /// `[[trigger.kafka]]`
    KafkaTrigger,
    /// `[[trigger.redis]]`
    RedisTrigger,
    /// `[[trigger.queue]]`
    QueueTrigger,
    /// `[[trigger.schedule]]`
    ScheduleTrigger,
    /// `[function.NAME.idempotency]`
    Idempotency,
    /// `[function.NAME.breaker]`
    Breaker,
    /// `[function.NAME.retry]`
    Retry,
    /// `[function.NAME.on]`
    Destinations,
    /// `mode = "async"` or `mode = "either"`
    AsyncMode,
    /// `allow.state = true`
    State,
    /// `allow.send`
    Send,
    /// `store.kind = "redis"`
    RedisStore,
}

impl Feature {
    /// What it is, for a sentence that says it is not offered.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queues => "durable queues",
            Self::Topics => "topics",
            Self::Streams => "streams",
            Self::KafkaTrigger => "Kafka triggers",
            Self::RedisTrigger => "Redis triggers",
            Self::QueueTrigger => "queue triggers",
            Self::ScheduleTrigger => "schedule triggers",
            Self::Idempotency => "idempotency keys",
            Self::Breaker => "circuit breakers",
            Self::Retry => "retries",
            Self::Destinations => "destinations",
            Self::AsyncMode => "asynchronous HTTP",
            Self::State => "state",
            Self::Send => "sending events",
            Self::RedisStore => "a store on Redis",
        }
    }
}

/// One use of a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureUse {
    /// What is used.
    pub feature: Feature,
    /// Byte offsets in the text of the manifest.
    pub span: Range<usize>,
    /// The dotted path of the key that uses it.
    pub key: String,
}

impl FeatureUse {
    pub(crate) fn refusal(&self) -> Diagnostic {
        let message = format!("this version of wfh does not offer {} yet", self.feature.name());
        Diagnostic::new(self.span.clone(), &self.key, message)
    }
}

/// Every use of a feature, in the order of the text.
pub(crate) fn used(manifest: &Manifest, spans: &Spans) -> Vec<FeatureUse> {
    let mut uses = Uses { spans, found: Vec::new() };
    for name in manifest.queues.keys() {
        uses.note(Feature::Queues, format!("queue.{name}"));
    }
    for name in manifest.topics.keys() {
        uses.note(Feature::Topics, format!("topic.{name}"));
    }
    for name in manifest.streams.keys() {
        uses.note(Feature::Streams, format!("stream.{name}"));
    }
    functions(manifest, &mut uses);
    triggers(manifest, &mut uses);
    if manifest.store.kind == StoreKind::Redis {
        uses.note(Feature::RedisStore, "store.kind".to_owned());
    }
    uses.found.sort_by_key(|used| used.span.start);
    uses.found
}

struct Uses<'s> {
    spans: &'s Spans,
    found: Vec<FeatureUse>,
}

impl Uses<'_> {
    /// Notes the use of a feature by a key, if the text has that key.
    fn note(&mut self, feature: Feature, key: String) {
        if let Some(span) = self.spans.get(&key) {
            self.found.push(FeatureUse { feature, span, key });
        }
    }
}

fn functions(manifest: &Manifest, uses: &mut Uses<'_>) {
    for (name, function) in &manifest.functions {
        uses.note(Feature::Idempotency, format!("function.{name}.idempotency"));
        uses.note(Feature::Breaker, format!("function.{name}.breaker"));
        uses.note(Feature::Retry, format!("function.{name}.retry"));
        uses.note(Feature::Destinations, format!("function.{name}.on"));
        if function.allow.state {
            uses.note(Feature::State, format!("function.{name}.allow.state"));
        }
        if !function.allow.send.is_empty() {
            uses.note(Feature::Send, format!("function.{name}.allow.send"));
        }
    }
}

fn triggers(manifest: &Manifest, uses: &mut Uses<'_>) {
    let triggers = &manifest.triggers;
    for (index, trigger) in triggers.http.iter().enumerate() {
        if trigger.config.mode != Mode::Sync {
            uses.note(Feature::AsyncMode, format!("trigger.http[{index}].mode"));
        }
    }
    let counted = [
        (Feature::KafkaTrigger, "kafka", triggers.kafka.len()),
        (Feature::RedisTrigger, "redis", triggers.redis.len()),
        (Feature::QueueTrigger, "queue", triggers.queue.len()),
        (Feature::ScheduleTrigger, "schedule", triggers.schedule.len()),
    ];
    for (feature, kind, count) in counted {
        for index in 0..count {
            uses.note(feature, format!("trigger.{kind}[{index}]"));
        }
    }
}
