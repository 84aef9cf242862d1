//! Exporters of the three signals, for either protocol.

use std::cell::OnceCell;

use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig,
};
use tokio::runtime::Handle;

use crate::client::Client;
use crate::{OtelConfig, OtelError, Protocol};

/// Makes exporters. It MUST be used inside a runtime, which sends for them.
pub(crate) struct Exporters<'c> {
    config: &'c OtelConfig,
    /// Made by the first exporter that speaks HTTP.
    client: OnceCell<Client>,
}

/// The same for each signal: its builder, and the path of its requests.
macro_rules! exporter {
    ($name:ident, $exporter:ident, $path:literal) => {
        pub(crate) fn $name(&self) -> Result<$exporter, OtelError> {
            let built = match self.config.protocol {
                Protocol::Grpc => {
                    let builder = $exporter::builder().with_tonic();
                    match &self.config.endpoint {
                        Some(endpoint) => builder.with_endpoint(endpoint).build(),
                        None => builder.build(),
                    }
                }
                Protocol::HttpProtobuf => {
                    let builder = $exporter::builder().with_http().with_http_client(self.client());
                    match &self.config.endpoint {
                        // The variable is a base, and so is the manifest's.
                        Some(endpoint) => {
                            let base = endpoint.trim_end_matches('/');
                            builder.with_endpoint(format!("{base}{}", $path)).build()
                        }
                        None => builder.build(),
                    }
                }
            };
            built.map_err(|error: ExporterBuildError| OtelError::Exporter(error.to_string()))
        }
    };
}

impl<'c> Exporters<'c> {
    pub(crate) fn new(config: &'c OtelConfig) -> Self {
        Self { config, client: OnceCell::new() }
    }

    fn client(&self) -> Client {
        let make = || Client::new(Handle::current(), &(self.config.tls)());
        self.client.get_or_init(make).clone()
    }

    exporter!(spans, SpanExporter, "/v1/traces");
    exporter!(metrics, MetricExporter, "/v1/metrics");
    exporter!(logs, LogExporter, "/v1/logs");
}
