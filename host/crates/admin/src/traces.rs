//! `/v1/traces`: where the last events went, without any collector.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use wfh_telemetry::{KeyValue, Recent, Span, SpanEvent, SpanKind};

use crate::api::Shared;
use crate::operating::Id;
use crate::page::{Page, PageParams, cursor, is_derived_id};
use crate::params::{Nothing, Params};
use crate::problem::Problem;

/// A trace, as far as this host saw it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Trace {
    /// Its id, 32 hexadecimal digits.
    pub(crate) id: String,
    /// What it begins with.
    pub(crate) name: String,
    /// When it began here, RFC 3339.
    pub(crate) began_at: String,
    /// From its first beginning to its last end, in milliseconds.
    pub(crate) duration_ms: f64,
    /// How many spans are known.
    pub(crate) spans: usize,
    /// How many of them failed.
    pub(crate) errors: usize,
}

/// A span of a trace.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Span)]
pub(crate) struct TraceSpan {
    /// Its id, 16 hexadecimal digits.
    pub(crate) id: String,
    /// The span above it, which this host may not know.
    #[schema(required)]
    pub(crate) parent: Option<String>,
    /// How deep it is below the first one.
    pub(crate) depth: usize,
    /// What it is called.
    pub(crate) name: String,
    /// `server`, `client`, `producer`, `consumer` or `internal`.
    pub(crate) kind: &'static str,
    /// When it began, RFC 3339.
    pub(crate) began_at: String,
    /// Milliseconds from the trace's beginning to its own.
    pub(crate) offset_ms: f64,
    /// How long it took, in milliseconds.
    pub(crate) duration_ms: f64,
    /// Why it failed.
    #[schema(required)]
    pub(crate) error: Option<String>,
    /// What is known about it.
    pub(crate) attributes: serde_json::Map<String, Value>,
    /// What happened meanwhile.
    pub(crate) events: Vec<TraceEvent>,
    /// Traces that it follows from.
    pub(crate) links: Vec<String>,
}

/// Something that happened within a span.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = SpanEvent)]
pub(crate) struct TraceEvent {
    /// What.
    pub(crate) name: String,
    /// Milliseconds from the trace's beginning to it.
    pub(crate) offset_ms: f64,
    /// What is known about it.
    pub(crate) attributes: serde_json::Map<String, Value>,
}

/// A trace with its spans, each above those that it caused.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct WholeTrace {
    /// What a listing says of it.
    #[serde(flatten)]
    pub(crate) trace: Trace,
    /// Its spans.
    pub(crate) tree: Vec<TraceSpan>,
}

/// The last traces, the newest first. A host keeps a bounded number of spans, and of many traces a
/// share.
#[utoipa::path(get, path = "/v1/traces", tag = "traces", params(PageParams), responses(
    (status = 200, description = "A page of traces", body = Page<Trace>),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Params(params): Params<PageParams>,
) -> Result<Json<Page<Trace>>, Problem> {
    let after = cursor(params.cursor.as_deref(), |text| number(text).is_some())?.and_then(number);
    let limit = params.limit()?;
    // One more says whether there is a next page.
    let mut items = last(recent(&shared)?, after, limit + 1);
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| has_more).map(|trace| trace.id.clone());
    Ok(Json(Page { items, next }))
}

/// One trace.
#[utoipa::path(get, path = "/v1/traces/{id}", tag = "traces",
    params(("id" = String, Path, description = "Its id, 32 hexadecimal digits")),
    responses(
        (status = 200, description = "Its spans", body = WholeTrace),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn one(
    State(shared): State<Shared>,
    Id(id): Id,
    _: Params<Nothing>,
) -> Result<Json<WholeTrace>, Problem> {
    match whole(recent(&shared)?, &id) {
        Some(trace) => Ok(Json(trace)),
        None => {
            Err(Problem::not_found(format!("the trace {id} is not known here, or not any more")))
        }
    }
}

fn recent(shared: &Shared) -> Result<&Recent, Problem> {
    let kept = shared.sources.recent.as_deref();
    kept.ok_or_else(|| {
        Problem::not_kept("this host keeps no spans (telemetry.trace_ring_spans_max)")
    })
}

/// The last traces, the newest first.
pub(crate) fn last(recent: &Recent, after: Option<u128>, count_max: usize) -> Vec<Trace> {
    recent.traces(after, count_max).iter().filter_map(|spans| summary(spans)).collect()
}

/// One trace with its spans.
pub(crate) fn whole(recent: &Recent, id: &str) -> Option<WholeTrace> {
    let spans = recent.trace(number(id)?);
    Some(WholeTrace { trace: summary(&spans)?, tree: tree(&spans) })
}

/// An id as a number.
fn number(id: &str) -> Option<u128> {
    u128::from_str_radix(id, 16).ok().filter(|_| is_derived_id(id))
}

fn summary(spans: &[Arc<Span>]) -> Option<Trace> {
    let first = spans.iter().min_by_key(|span| span.began)?;
    let ended = spans.iter().map(|span| span.ended).max()?;
    Some(Trace {
        id: first.at.trace_id(),
        name: first.name.to_string(),
        began_at: time(first.began),
        duration_ms: between_ms(first.began, ended),
        spans: spans.len(),
        errors: spans.iter().filter(|span| span.error.is_some()).count(),
    })
}

/// Each span above those below it, in the order of their beginnings.
fn tree(spans: &[Arc<Span>]) -> Vec<TraceSpan> {
    let mut spans: Vec<&Arc<Span>> = spans.iter().collect();
    spans.sort_by_key(|span| span.began);
    let Some(began) = spans.first().map(|span| span.began) else { return Vec::new() };
    let known = |id: u64| spans.iter().any(|span| span.at.span_number() == id);
    let above = |span: &Span| span.at.parent().map(|(id, _)| id).filter(|id| known(*id));
    let mut waiting: Vec<(&Arc<Span>, usize)> =
        spans.iter().rev().filter(|span| above(span).is_none()).map(|span| (*span, 0)).collect();
    let mut all = Vec::with_capacity(spans.len());
    while let Some((span, depth)) = waiting.pop() {
        all.push(shown(span, began, depth));
        // A position is new each time, so nothing is above itself; a bound all the same.
        if all.len() > spans.len() {
            break;
        }
        let below = spans.iter().rev().filter(|one| above(one) == Some(span.at.span_number()));
        waiting.extend(below.map(|one| (*one, depth + 1)));
    }
    all
}

fn shown(span: &Span, began: SystemTime, depth: usize) -> TraceSpan {
    TraceSpan {
        id: span.at.span_id(),
        parent: span.at.parent().map(|(id, _)| format!("{id:016x}")),
        depth,
        name: span.name.to_string(),
        kind: match span.kind {
            SpanKind::Server => "server",
            SpanKind::Client => "client",
            SpanKind::Producer => "producer",
            SpanKind::Consumer => "consumer",
            SpanKind::Internal => "internal",
        },
        began_at: time(span.began),
        offset_ms: between_ms(began, span.began),
        duration_ms: between_ms(span.began, span.ended),
        error: span.error.as_ref().map(ToString::to_string),
        attributes: values(&span.attributes),
        events: span.events.iter().map(|event| happened(event, began)).collect(),
        links: span.links.iter().map(|at| at.trace_id()).collect(),
    }
}

fn happened(event: &SpanEvent, began: SystemTime) -> TraceEvent {
    let (name, offset_ms) = (event.name.to_string(), between_ms(began, event.at));
    TraceEvent { name, offset_ms, attributes: values(&event.attributes) }
}

fn values(pairs: &[KeyValue]) -> serde_json::Map<String, Value> {
    pairs.iter().map(|pair| (pair.key.to_string(), value(&pair.value))).collect()
}

fn value(of: &wfh_telemetry::Value) -> Value {
    match of {
        wfh_telemetry::Value::Bool(is) => (*is).into(),
        wfh_telemetry::Value::I64(number) => (*number).into(),
        // To the thousandth.
        wfh_telemetry::Value::F64(number) => ((number * 1e3).round() / 1e3).into(),
        text => text.to_string().into(),
    }
}

fn time(at: SystemTime) -> String {
    Timestamp::try_from(at).unwrap_or_default().to_string()
}

/// To the microsecond.
fn between_ms(from: SystemTime, to: SystemTime) -> f64 {
    let between = to.duration_since(from).unwrap_or(Duration::ZERO);
    (between.as_secs_f64() * 1e6).round() / 1e3
}
