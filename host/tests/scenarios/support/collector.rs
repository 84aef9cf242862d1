//! An OpenTelemetry collector: the real services of OTLP over gRPC, and over HTTP.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;

/// What came in.
#[derive(Clone, Default)]
struct Received {
    spans: Arc<Mutex<Vec<Span>>>,
    metrics: Arc<Mutex<Vec<String>>>,
    logs: Arc<Mutex<Vec<LogRecord>>>,
    services: Arc<Mutex<Vec<String>>>,
}

/// A collector that listens.
pub(crate) struct Collector {
    address: SocketAddr,
    received: Received,
}

impl Collector {
    /// OTLP over gRPC.
    pub(crate) async fn grpc() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, received) = (listener.local_addr().unwrap(), Received::default());
        let gzip = tonic::codec::CompressionEncoding::Gzip;
        let services = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(received.clone()).accept_compressed(gzip))
            .add_service(MetricsServiceServer::new(received.clone()).accept_compressed(gzip))
            .add_service(LogsServiceServer::new(received.clone()).accept_compressed(gzip));
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        tokio::spawn(services.serve_with_incoming(incoming));
        Self { address, received }
    }

    /// OTLP over HTTP with Protocol Buffers.
    pub(crate) async fn http() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, received) = (listener.local_addr().unwrap(), Received::default());
        tokio::spawn(serve(listener, received.clone()));
        Self { address, received }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.received.spans.lock().unwrap().clone()
    }

    /// The span of a name; the test fails where there is none.
    pub(crate) fn span(&self, name: &str) -> Span {
        let spans = self.spans();
        let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
        let found = spans.iter().find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("no span is called {name:?}, but {names:?}")).clone()
    }

    /// The names of all metrics.
    pub(crate) fn metrics(&self) -> Vec<String> {
        self.received.metrics.lock().unwrap().clone()
    }

    pub(crate) fn logs(&self) -> Vec<LogRecord> {
        self.received.logs.lock().unwrap().clone()
    }

    /// The `service.name` of everything that came.
    pub(crate) fn services(&self) -> Vec<String> {
        let mut services = self.received.services.lock().unwrap().clone();
        services.sort();
        services.dedup();
        services
    }
}

impl Received {
    fn take_spans(&self, request: ExportTraceServiceRequest) {
        for resource in request.resource_spans {
            self.note(resource.resource.map(|resource| resource.attributes));
            for scope in resource.scope_spans {
                self.spans.lock().unwrap().extend(scope.spans);
            }
        }
    }

    fn take_metrics(&self, request: ExportMetricsServiceRequest) {
        for resource in request.resource_metrics {
            self.note(resource.resource.map(|resource| resource.attributes));
            for scope in resource.scope_metrics {
                let names = scope.metrics.into_iter().map(|metric| metric.name);
                self.metrics.lock().unwrap().extend(names);
            }
        }
    }

    fn take_logs(&self, request: ExportLogsServiceRequest) {
        for resource in request.resource_logs {
            self.note(resource.resource.map(|resource| resource.attributes));
            for scope in resource.scope_logs {
                self.logs.lock().unwrap().extend(scope.log_records);
            }
        }
    }

    fn note(&self, resource: Option<Vec<KeyValue>>) {
        let service = attributes(&resource.unwrap_or_default()).remove("service.name");
        self.services.lock().unwrap().extend(service);
    }
}

type Answer<T> = Result<tonic::Response<T>, tonic::Status>;

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Answer<ExportTraceServiceResponse> {
        self.take_spans(request.into_inner());
        Ok(tonic::Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Received {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Answer<ExportMetricsServiceResponse> {
        self.take_metrics(request.into_inner());
        Ok(tonic::Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Received {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Answer<ExportLogsServiceResponse> {
        self.take_logs(request.into_inner());
        Ok(tonic::Response::new(Default::default()))
    }
}

async fn serve(listener: TcpListener, received: Received) {
    while let Ok((stream, _)) = listener.accept().await {
        let received = received.clone();
        let service = service_fn(move |request| {
            let received = received.clone();
            async move { Ok::<_, Infallible>(take(&received, request).await) }
        });
        let serving = hyper::server::conn::http1::Builder::new();
        tokio::spawn(serving.serve_connection(TokioIo::new(stream), service));
    }
}

/// The answer is an empty message of the kind that the path asks for.
async fn take(received: &Received, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    match path.as_str() {
        "/v1/traces" => received.take_spans(Message::decode(body).unwrap()),
        "/v1/metrics" => received.take_metrics(Message::decode(body).unwrap()),
        "/v1/logs" => received.take_logs(Message::decode(body).unwrap()),
        _ => panic!("no collector listens on {path}"),
    }
    Response::new(Full::default())
}

/// Attributes as text.
pub(crate) fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    pairs.iter().map(|pair| (pair.key.clone(), text(pair.value.as_ref()))).collect()
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(value)) => value.to_string(),
        other => format!("{other:?}"),
    }
}

/// Bytes of an id as hexadecimal digits.
pub(crate) fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
