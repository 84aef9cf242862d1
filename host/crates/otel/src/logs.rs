//! Log records, each with the trace it belongs to.

use std::fmt::Debug;
use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::{SpanId, TraceId};
use opentelemetry_sdk::logs::{SdkLogRecord, SdkLogger, SdkLoggerProvider};
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use wfh_telemetry::SCOPE;

/// Fields of this name become the trace of a record, and the position in it.
const TRACE_ID: &str = "trace_id";
const SPAN_ID: &str = "span_id";

/// Sends what is logged.
pub struct LogLayer {
    logger: SdkLogger,
    /// Nothing is taken any more.
    ends: CancellationToken,
}

impl LogLayer {
    pub(crate) fn new(provider: &SdkLoggerProvider, ends: CancellationToken) -> Self {
        Self { logger: provider.logger(SCOPE), ends }
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if self.ends.is_cancelled() {
            return;
        }
        let metadata = event.metadata();
        let mut fields =
            Fields { record: self.logger.create_log_record(), trace: None, span: None };
        event.record(&mut fields);
        let Fields { mut record, trace, span } = fields;
        if let Some(trace) = trace {
            record.set_trace_context(trace, span.unwrap_or(SpanId::INVALID), None);
        }
        record.set_timestamp(SystemTime::now());
        record.set_target(metadata.target());
        record.set_severity_number(severity(*metadata.level()));
        record.set_severity_text(metadata.level().as_str());
        self.logger.emit(record);
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warn,
        Level::INFO => Severity::Info,
        Level::DEBUG => Severity::Debug,
        Level::TRACE => Severity::Trace,
    }
}

struct Fields {
    record: SdkLogRecord,
    trace: Option<TraceId>,
    span: Option<SpanId>,
}

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<AnyValue>) {
        match field.name() {
            "message" => self.record.set_body(value.into()),
            name => self.record.add_attribute(name, value),
        }
    }

    fn set_text(&mut self, field: &Field, text: String) {
        match field.name() {
            TRACE_ID => self.trace = TraceId::from_hex(&text).ok(),
            SPAN_ID => self.span = SpanId::from_hex(&text).ok(),
            _ => self.set(field, text),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set_text(field, value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.set(field, value),
            Err(_) => self.set(field, value.to_string()),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set_text(field, format!("{value:?}"));
    }
}
