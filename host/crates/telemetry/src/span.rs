//! Spans that have ended: data, before anybody exports or shows them.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
pub use opentelemetry::trace::SpanKind;

use crate::{TraceContext, attribute};

/// The most links of one span.
const LINKS_MAX: usize = 128;

/// The longest text of a span; what callers send may be longer.
const TEXT_BYTES_MAX: usize = 1_024;

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or(text)
}

/// A span that has ended.
#[derive(Debug, Clone)]
pub struct Span {
    /// Where in which trace it stands.
    pub at: TraceContext,
    /// What it is called.
    pub name: Cow<'static, str>,
    /// Which side of what it describes.
    pub kind: SpanKind,
    /// When it began.
    pub began: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// What is known about it.
    pub attributes: Vec<KeyValue>,
    /// What happened meanwhile, in order.
    pub events: Vec<SpanEvent>,
    /// Positions in other traces that it follows from.
    pub links: Vec<TraceContext>,
    /// Why it failed, if that is an error of this side.
    pub error: Option<Cow<'static, str>>,
}

/// Something that happened within a span.
#[derive(Debug, Clone)]
pub struct SpanEvent {
    /// What.
    pub name: Cow<'static, str>,
    /// When.
    pub at: SystemTime,
    /// What is known about it.
    pub attributes: Vec<KeyValue>,
}

/// A span that is being recorded. What is never recorded costs nothing: see [`crate::Tracer::begin`].
#[derive(Debug)]
pub struct Recording {
    span: Span,
    wanted: Wanted,
}

/// Who wants a span.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    /// It is sent to a collector.
    pub(crate) exported: bool,
    /// It is kept for those who look at this host.
    pub(crate) shown: bool,
}

/// Attributes that a call's span comes to, so that they are not moved again and again.
const ATTRIBUTES_EXPECTED: usize = 24;

impl Recording {
    pub(crate) fn new(
        at: TraceContext,
        name: Cow<'static, str>,
        kind: SpanKind,
        wanted: Wanted,
    ) -> Self {
        let (began, events, links) = (SystemTime::now(), Vec::new(), Vec::new());
        let attributes = Vec::with_capacity(ATTRIBUTES_EXPECTED);
        let (ended, error) = (began, None);
        let span = Span { at, name, kind, began, ended, attributes, events, links, error };
        Self { span, wanted }
    }

    /// Calls it something else.
    pub fn rename(&mut self, name: impl Into<Cow<'static, str>>) {
        self.span.name = name.into();
    }

    /// Notes an attribute.
    pub fn set(&mut self, name: &'static str, value: impl Into<opentelemetry::Value>) {
        self.set_pair(KeyValue::new(name, value));
    }

    /// Notes an attribute if there is one.
    pub fn set_some(&mut self, name: &'static str, value: Option<impl Into<opentelemetry::Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Notes an attribute that metrics have as well.
    pub fn set_pair(&mut self, mut pair: KeyValue) {
        if let opentelemetry::Value::String(text) = &pair.value
            && text.as_str().len() > TEXT_BYTES_MAX
        {
            pair.value = cut(text.as_str()).to_owned().into();
        }
        self.span.attributes.push(pair);
    }

    /// Notes that something happens now. Whoever calls it MUST bound what comes together.
    pub fn event(&mut self, name: impl Into<Cow<'static, str>>, attributes: Vec<KeyValue>) {
        let (name, at) = (name.into(), SystemTime::now());
        self.span.events.push(SpanEvent { name, at, attributes });
    }

    /// Says that it follows from the span above `position`, in another trace.
    pub fn link_above(&mut self, position: &TraceContext) {
        if self.span.links.len() < LINKS_MAX {
            self.span.links.extend(position.above());
        }
    }

    /// Says that it failed: the type of the error, and what is told about it.
    pub fn fail(
        &mut self,
        kind: impl Into<opentelemetry::Value>,
        detail: impl Into<Cow<'static, str>>,
    ) {
        self.set(attribute::ERROR_TYPE, kind);
        self.failed(detail);
    }

    /// The same, when the type of the error is noted already.
    pub fn failed(&mut self, detail: impl Into<Cow<'static, str>>) {
        let detail: Cow<'static, str> = detail.into();
        self.span.error = Some(match detail.len() > TEXT_BYTES_MAX {
            true => cut(&detail).to_owned().into(),
            false => detail,
        });
    }

    /// It ends now.
    pub fn end(self) {
        let wanted = self.wanted;
        crate::tracer().take(self.into_span(), wanted);
    }

    pub(crate) fn into_span(mut self) -> Span {
        self.span.ended = SystemTime::now();
        self.span
    }
}

/// How long the phases of a call took, filled by those who know while it runs.
#[derive(Debug, Default)]
pub struct Phases {
    waited_ns: AtomicU64,
    instantiate_ns: AtomicU64,
    guest_ns: AtomicU64,
    settle_ns: AtomicU64,
    is_cold: AtomicBool,
    /// The class and the text of the last try that failed.
    failed: Mutex<Option<(&'static str, String)>>,
}

impl Phases {
    /// Time until a permit was free.
    pub fn waited(&self, time: Duration) {
        add(&self.waited_ns, time);
    }

    /// A sandbox was made in this time.
    pub fn instantiated(&self, time: Duration) {
        self.is_cold.store(true, Ordering::Relaxed);
        add(&self.instantiate_ns, time);
    }

    /// The guest had this time.
    pub fn ran(&self, time: Duration) {
        add(&self.guest_ns, time);
    }

    /// Settling took this time.
    pub fn settled(&self, time: Duration) {
        add(&self.settle_ns, time);
    }

    /// A try failed.
    pub fn failed(&self, class: &'static str, detail: &str) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = Some((class, detail.to_owned()));
    }

    /// Says that the call itself failed as its last try did: it was put off.
    pub fn put_off(&self, recording: &mut Recording) {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((class, detail)) = failed {
            recording.fail(class, detail);
        }
    }

    /// Whether a sandbox was made for the call.
    #[must_use]
    pub fn is_cold(&self) -> bool {
        self.is_cold.load(Ordering::Relaxed)
    }

    /// Writes down what is known.
    pub fn note(&self, recording: &mut Recording) {
        for (name, phase) in [
            (attribute::WAITED_MS, &self.waited_ns),
            (attribute::INSTANTIATE_MS, &self.instantiate_ns),
            (attribute::GUEST_MS, &self.guest_ns),
            (attribute::SETTLE_MS, &self.settle_ns),
        ] {
            let nanoseconds = phase.load(Ordering::Relaxed);
            if nanoseconds > 0 {
                recording.set(name, Duration::from_nanos(nanoseconds).as_secs_f64() * 1e3);
            }
        }
        recording.set(attribute::FAAS_COLDSTART, self.is_cold());
    }
}

fn add(phase: &AtomicU64, time: Duration) {
    let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    phase.fetch_add(nanoseconds, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character() {
        let at = TraceContext::root();
        let mut recording = Recording::new(at, "x".into(), SpanKind::Server, Wanted::default());
        recording.set(attribute::URL_PATH, "é".repeat(5_000));
        recording.fail("trap", "é".repeat(5_000));
        let span = recording.into_span();
        let lengths = span.attributes.iter().map(|pair| pair.value.as_str().len());
        assert_eq!(lengths.collect::<Vec<_>>(), [1_024, 4]);
        assert_eq!(span.error.unwrap().len(), 1_024);
    }
}
