//! Names and propagation: how spans, attributes and metrics are spelled, how a trace context travels
//! in and out, and what is recorded of it.
//!
//! Layer L1. This crate must not know any other crate of the workspace, an exporter or a socket.
//! Its main types are [`TraceContext`], a position in a trace, and [`Tracer`], which records spans.
//! Instruments come from the meter of OpenTelemetry's API; what is behind it is not known here.

mod context;
mod meters;
mod names;
mod random;
mod recent;
mod span;
mod tracer;

pub use context::{BAGGAGE, TRACEPARENT, TRACESTATE, TraceContext};
pub use meters::{CallMeters, Meters, SandboxMeters, meter, meters};
pub use names::{OTHER_METHOD, SCHEMA_URL, SCOPE, attribute, http_version, known_method, metric};
pub use opentelemetry::{KeyValue, Value};
pub use random::random_u64;
pub use recent::Recent;
pub use span::{Phases, Recording, Span, SpanEvent, SpanKind};
pub use tracer::{Sampler, SpanExport, Tracer, tracer};
