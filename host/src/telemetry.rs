//! What the host records of itself, and where that goes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wfh_engine::tls_client;
use wfh_manifest::{Manifest, OtlpProtocol};
use wfh_otel::{Otel, OtelConfig, Protocol, Signals};
use wfh_telemetry::{Recent, Sampler, Tracer};

use crate::environment::{self, SamplerVariable, Signal};
use crate::error::Error;
use crate::manifest_file::ManifestFile;
use crate::replica;

/// How long the last telemetry may take to go out.
const STOP_MAX: Duration = Duration::from_secs(3);

/// Spans that may wait to be sent, as OpenTelemetry's specification has it.
const SPANS_WAITING_MAX: usize = 2_048;

/// Recording, for as long as the host serves.
pub(crate) struct Telemetry {
    pub(crate) otel: Otel,
    /// The last spans, unless none are kept.
    pub(crate) recent: Option<Arc<Recent>>,
}

impl Telemetry {
    /// Begins to record. It MUST be called inside the runtime that sends, before anything is measured.
    pub(crate) fn start(file: &ManifestFile, data_dir: &Path) -> Result<Self, Error> {
        let otel = Otel::start(&config(file, data_dir)?).map_err(Error::Telemetry)?;
        let telemetry = &file.manifest.telemetry;
        let spans_max = telemetry.trace_ring_spans_max as usize;
        let recent = (spans_max > 0).then(|| Arc::new(Recent::new(spans_max)));
        let sampler = sampler(&file.manifest)?;
        Tracer { sampler, export: otel.span_export(), recent: recent.clone() }.install();
        Ok(Self { otel, recent })
    }

    /// Sends what is left, a bounded time. One more signal ends the wait.
    pub(crate) async fn stop(&self, another: impl Future<Output = ()>) {
        let otel = self.otel.clone();
        let (sender, sent) = tokio::sync::oneshot::channel();
        // The SDK blocks, longer than it is told to: on a thread that nobody waits for.
        std::thread::spawn(move || {
            otel.stop(STOP_MAX);
            let _ = sender.send(());
        });
        tokio::select! {
            _ = sent => {}
            () = tokio::time::sleep(STOP_MAX + STOP_MAX / 3) => {
                tracing::warn!("not all telemetry was sent");
            }
            () = another => {
                tracing::warn!("second signal, stopped at once");
                crate::log::flush();
                std::process::exit(1);
            }
        }
    }
}

fn config(file: &ManifestFile, data_dir: &Path) -> Result<OtelConfig, Error> {
    let Manifest { app, telemetry, .. } = &file.manifest;
    let service_name = telemetry.service_name.clone().unwrap_or_else(|| app.name.to_string());
    let named = environment::otlp_endpoint();
    let wanted = |signal: Signal| {
        let sent = !environment::otel_disabled() && environment::exports(signal);
        sent && (telemetry.otlp_endpoint.is_some() || named || signal.has_endpoint())
    };
    Ok(OtelConfig {
        service_name,
        service_version: env!("CARGO_PKG_VERSION").to_owned(),
        instance_id: instance(file, data_dir),
        endpoint: telemetry.otlp_endpoint.clone().filter(|_| !named),
        protocol: match environment::otlp_protocol().as_deref() {
            Some("grpc") => Protocol::Grpc,
            Some("http/protobuf") => Protocol::HttpProtobuf,
            Some(other) => {
                let expected = "expected `grpc` or `http/protobuf`";
                let told = format!("OTEL_EXPORTER_OTLP_PROTOCOL is {other:?}; {expected}");
                return Err(Error::Manifest(vec![told]));
            }
            None => match telemetry.otlp_protocol {
                OtlpProtocol::Grpc => Protocol::Grpc,
                OtlpProtocol::HttpProtobuf => Protocol::HttpProtobuf,
            },
        },
        signals: Signals {
            traces: wanted(Signal::Traces),
            metrics: wanted(Signal::Metrics),
            logs: wanted(Signal::Logs),
        },
        spans_waiting_max: environment::spans_waiting_max().unwrap_or(SPANS_WAITING_MAX),
        tls: tls_client,
    })
}

/// A bare component's directory is not ours to write to; one that cannot be used is told of by who
/// needs it.
fn instance(file: &ManifestFile, data_dir: &Path) -> String {
    let known = (!file.is_bare()).then(|| replica::name(data_dir).ok()).flatten();
    known.unwrap_or_else(|| wfh_invoke::new_invocation_id().to_string().to_lowercase())
}

/// The names are those of the specification of the SDK's variables.
fn sampler(manifest: &Manifest) -> Result<Sampler, Error> {
    let Some(SamplerVariable { name, argument }) = environment::sampler() else {
        return Ok(Sampler::new(manifest.telemetry.sample_ratio, true));
    };
    let ratio = || match &argument {
        None => Ok(1.0),
        Some(text) => {
            text.parse::<f64>().ok().filter(|ratio| (0.0..=1.0).contains(ratio)).ok_or_else(|| {
                let told = format!("OTEL_TRACES_SAMPLER_ARG is {text:?}; expected 0 to 1");
                Error::Manifest(vec![told])
            })
        }
    };
    let parent_based = name.starts_with("parentbased_");
    let ratio = match name.trim_start_matches("parentbased_") {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => ratio()?,
        _ => {
            let expected = "expected always_on, always_off or traceidratio, or one of these after \
                            parentbased_";
            return Err(Error::Manifest(vec![format!(
                "OTEL_TRACES_SAMPLER is {name:?}; {expected}"
            )]));
        }
    };
    Ok(Sampler::new(ratio, parent_based))
}
