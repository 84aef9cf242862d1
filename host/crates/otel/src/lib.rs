//! Telemetry on its way out: spans, metrics and log records by OTLP, and metrics as Prometheus reads
//! them.
//!
//! Layer L2. This crate must not know what is recorded: spans come as [`wfh_telemetry::Span`], log
//! records from `tracing`, and metrics from the process's meter. Its main type is [`Otel`]. What is
//! sent is batched on threads of its own; what does not fit is dropped and counted, and a collector
//! that is away holds up nobody.

mod backlog;
mod client;
mod config;
mod export;
mod logs;
mod otel;
mod spans;

pub use config::{OtelConfig, OtelError, Protocol, Signals};
pub use logs::LogLayer;
pub use otel::Otel;
