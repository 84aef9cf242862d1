//! Names and propagation: how spans, attributes and metrics are spelled, and how a trace context
//! travels in and out.
//!
//! Layer L1. This crate must not know any other crate of the workspace, an exporter or a socket.
//! Its main type is [`TraceContext`].

mod context;
mod random;

pub use context::{TRACEPARENT, TRACESTATE, TraceContext};
pub use random::random_u64;
