//! What goes out, and where to.

use std::sync::Arc;

use thiserror::Error;

/// What of a process goes out, and where to.
pub struct OtelConfig {
    /// `service.name`, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` say otherwise.
    pub service_name: String,
    /// `service.version`.
    pub service_version: String,
    /// `service.instance.id`.
    pub instance_id: String,
    /// The collector, unless `OTEL_EXPORTER_OTLP_ENDPOINT` or the variable of a signal names one.
    pub endpoint: Option<String>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// What is sent to it.
    pub signals: Signals,
    /// Spans that may wait to be sent; of more, none is recorded.
    pub spans_waiting_max: usize,
    /// For collectors behind `https` that speak HTTP; made when there is one, since reading the
    /// system's roots takes a while.
    pub tls: fn() -> Arc<rustls::ClientConfig>,
}

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP over gRPC, usually on port 4317.
    Grpc,
    /// OTLP over HTTP with Protocol Buffers, usually on port 4318.
    HttpProtobuf,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signals {
    /// Spans.
    pub traces: bool,
    /// Metrics.
    pub metrics: bool,
    /// Log records.
    pub logs: bool,
}

/// Telemetry cannot be set up as it was asked for.
#[derive(Debug, Error)]
pub enum OtelError {
    /// An exporter does not take its endpoint or one of the `OTEL_*` variables.
    #[error("telemetry cannot be exported: {0}")]
    Exporter(String),
    /// Metrics cannot be collected.
    #[error("metrics cannot be collected: {0}")]
    Metrics(String),
}
