//! Telemetry on its way out: OTLP and Prometheus.
