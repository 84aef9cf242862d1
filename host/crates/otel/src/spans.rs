//! Spans, as the SDK's batch processor takes them.

use std::sync::Arc;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor,
};
use wfh_telemetry::{SCHEMA_URL, SCOPE, Span, SpanExport, TraceContext};

use crate::backlog::Backlog;

/// Hands spans to a batch, on the thread that ended them.
pub(crate) struct Spans {
    processor: Arc<BatchSpanProcessor>,
    backlog: Arc<Backlog>,
    scope: InstrumentationScope,
}

impl Spans {
    pub(crate) fn new(processor: Arc<BatchSpanProcessor>, backlog: Arc<Backlog>) -> Self {
        let scope = InstrumentationScope::builder(SCOPE)
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(SCHEMA_URL)
            .build();
        Self { processor, backlog, scope }
    }
}

impl SpanExport for Spans {
    fn has_room(&self) -> bool {
        self.backlog.has_room()
    }

    fn export(&self, span: Span) {
        if !self.backlog.take() {
            return;
        }
        let parent = span.at.parent();
        let happened = span.events.into_iter();
        let happened = happened.map(|one| Event::new(one.name, one.at, one.attributes, 0));
        let mut events = SpanEvents::default();
        events.events = happened.collect();
        let mut links = SpanLinks::default();
        links.links = span.links.iter().map(|at| Link::with_context(context(at))).collect();
        self.processor.on_end(SpanData {
            span_context: context(&span.at),
            parent_span_id: parent.map_or(SpanId::INVALID, |(id, _)| id.into()),
            parent_span_is_remote: parent.is_some_and(|(_, is_remote)| is_remote),
            span_kind: span.kind,
            name: span.name,
            start_time: span.began,
            end_time: span.ended,
            attributes: span.attributes,
            dropped_attributes_count: 0,
            events,
            links,
            status: match span.error {
                Some(detail) => Status::error(detail),
                None => Status::Unset,
            },
            instrumentation_scope: self.scope.clone(),
        });
    }
}

fn context(at: &TraceContext) -> SpanContext {
    let flags = if at.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace, span) = (TraceId::from(at.trace_number()), SpanId::from(at.span_number()));
    let state: TraceState = at.tracestate().and_then(|text| text.parse().ok()).unwrap_or_default();
    SpanContext::new(trace, span, flags, false, state)
}
