//! The SDK's providers, made and ended together.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SpanProcessor};
use prometheus::{Registry, TextEncoder};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use wfh_telemetry::SpanExport;

use crate::backlog::{Backlog, Patient};
use crate::export::Exporters;
use crate::spans::Spans;
use crate::{LogLayer, OtelConfig, OtelError};

/// Everything that leaves the process as telemetry. Cheap to clone.
#[derive(Clone)]
pub struct Otel {
    registry: Registry,
    metrics: SdkMeterProvider,
    exports_metrics: bool,
    spans: Option<(Arc<BatchSpanProcessor>, Arc<Backlog>)>,
    logs: Option<SdkLoggerProvider>,
    /// Nothing is taken any more, and nothing waits.
    ends: CancellationToken,
}

impl Otel {
    /// Sets the process's meter, and begins to send what `config` says; metrics can be read as text in
    /// any case. It MUST be called once, inside a runtime, before anything is measured.
    ///
    /// # Errors
    /// An exporter cannot be made. No collector is asked yet.
    pub fn start(config: &OtelConfig) -> Result<Self, OtelError> {
        let (resource, exporters) = (resource(config), Exporters::new(config));
        let ends = CancellationToken::new();
        let registry = Registry::new();
        let text = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .map_err(|error| OtelError::Metrics(error.to_string()))?;
        let mut metrics =
            SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(text);
        if config.signals.metrics {
            metrics = metrics.with_reader(PeriodicReader::builder(exporters.metrics()?).build());
        }
        let metrics = metrics.build();
        // Before the processors, which count what they drop.
        global::set_meter_provider(metrics.clone());
        let spans = match config.signals.traces {
            true => {
                let backlog = Arc::new(Backlog::new(config.spans_waiting_max));
                let (waiting, runtime) = (Arc::clone(&backlog), Handle::current());
                let exporter = Patient::new(exporters.spans()?, waiting, runtime, ends.clone());
                let batches = BatchConfigBuilder::default();
                let batches = batches.with_max_queue_size(config.spans_waiting_max).build();
                let builder = BatchSpanProcessor::builder(exporter).with_batch_config(batches);
                let mut processor = builder.build();
                processor.set_resource(&resource);
                Some((Arc::new(processor), backlog))
            }
            false => None,
        };
        let logs = match config.signals.logs {
            true => {
                let builder = SdkLoggerProvider::builder().with_resource(resource);
                Some(builder.with_batch_exporter(exporters.logs()?).build())
            }
            false => None,
        };
        Ok(Self { registry, metrics, exports_metrics: config.signals.metrics, spans, logs, ends })
    }

    /// What takes spans, if they go out.
    #[must_use]
    pub fn span_export(&self) -> Option<Arc<dyn SpanExport>> {
        let (processor, backlog) = self.spans.as_ref()?;
        Some(Arc::new(Spans::new(Arc::clone(processor), Arc::clone(backlog))))
    }

    /// What takes log records, if they go out.
    #[must_use]
    pub fn log_layer(&self) -> Option<LogLayer> {
        self.logs.as_ref().map(|logs| LogLayer::new(logs, self.ends.clone()))
    }

    /// Whether a collector gets metrics unasked.
    #[must_use]
    pub fn exports_metrics(&self) -> bool {
        self.exports_metrics
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// They cannot be encoded.
    pub fn prometheus(&self) -> Result<String, OtelError> {
        let encoded = TextEncoder::new().encode_to_string(&self.registry.gather());
        encoded.map_err(|error| OtelError::Metrics(error.to_string()))
    }

    /// Sends what is left, and stops: all signals at once. It blocks, about `longest`.
    pub fn stop(&self, longest: Duration) {
        self.ends.cancel();
        std::thread::scope(|threads| {
            threads.spawn(|| say(self.metrics.shutdown_with_timeout(longest), "metrics"));
            if let Some(logs) = &self.logs {
                threads.spawn(|| say(logs.shutdown_with_timeout(longest), "log records"));
            }
            if let Some((spans, _)) = &self.spans {
                say(spans.shutdown_with_timeout(longest), "spans");
            }
        });
    }
}

fn say(stopped: opentelemetry_sdk::error::OTelSdkResult, what: &str) {
    if let Err(error) = stopped {
        tracing::warn!(%error, what, "not all telemetry was sent");
    }
}

/// `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win, which the builder reads.
fn resource(config: &OtelConfig) -> Resource {
    let named = Resource::builder().build();
    let is_named = |key: &'static str| {
        named.get(&key.into()).is_some_and(|value| !value.as_str().starts_with("unknown_service"))
    };
    let own = [
        ("service.name", &config.service_name),
        ("service.version", &config.service_version),
        ("service.instance.id", &config.instance_id),
    ];
    let own = own.into_iter().filter(|(key, _)| !is_named(key));
    let own = own.map(|(key, value)| KeyValue::new(key, value.clone()));
    Resource::builder().with_attributes(own).build()
}
