//! `tracing`, with the host's log behind it.

mod fields;
mod spans;

use std::cell::RefCell;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::sys;
use fields::Fields;
use spans::Spans;

/// One record, as the host takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogRecord {
    pub(crate) level: Level,
    pub(crate) target: String,
    pub(crate) message: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// The least that is let through; from `LOG_LEVEL`, else everything from `info` up.
static LEVEL: AtomicUsize = AtomicUsize::new(level_number(LevelFilter::INFO));

thread_local! {
    static SPANS: RefCell<Spans> = RefCell::default();
}

/// Makes this the subscriber, once. A subscriber that the author has set already stays.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(tracing::subscriber::set_global_default(ToHost)));
}

/// Reads `LOG_LEVEL`, once. Not before the first call: in `init` there is no environment, and what
/// is read there would stay.
#[cfg(target_family = "wasm")]
pub(crate) fn configure() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let level = std::env::var("LOG_LEVEL").ok().and_then(|level| level.trim().parse().ok());
        if let Some(level) = level {
            LEVEL.store(level_number(level), Ordering::Relaxed);
        }
    });
}

/// Where in the trace the code is that runs now, if in a span of its own that somebody will see.
pub(crate) fn traceparent() -> Option<String> {
    SPANS.with_borrow(Spans::traceparent)
}

const fn level_number(level: LevelFilter) -> usize {
    match level.into_level() {
        None => 0,
        Some(Level::ERROR) => 1,
        Some(Level::WARN) => 2,
        Some(Level::INFO) => 3,
        Some(Level::DEBUG) => 4,
        Some(Level::TRACE) => 5,
    }
}

struct ToHost;

impl Subscriber for ToHost {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        // The level is known only at the first call, which may come after callsites register.
        tracing::subscriber::Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let level = LevelFilter::from_level(*metadata.level());
        level_number(level) <= LEVEL.load(Ordering::Relaxed)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        // Before the borrow: a field's `Debug` is the author's code and may log by itself.
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        SPANS.with_borrow_mut(|spans| spans.open(attributes, fields))
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        SPANS.with_borrow_mut(|spans| spans.record(span.into_u64(), fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        SPANS.with_borrow(|spans| {
            spans.note_at(event, &fields);
            spans.add_to(event, &mut fields);
        });
        let metadata = event.metadata();
        let (message, fields) = fields.into_parts();
        sys::log::log(LogRecord {
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            message,
            fields,
        });
    }

    fn enter(&self, span: &Id) {
        SPANS.with_borrow_mut(|spans| spans.enter(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        SPANS.with_borrow_mut(|spans| spans.exit(span.into_u64()));
    }

    fn clone_span(&self, span: &Id) -> Id {
        SPANS.with_borrow_mut(|spans| spans.hold(span.into_u64()));
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        SPANS.with_borrow_mut(|spans| spans.release(span.into_u64()))
    }
}
