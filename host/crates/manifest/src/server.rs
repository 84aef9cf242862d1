//! The host around functions: `[http]`, `[admin]`, `[engine]`, `[outgoing]`, `[limits]`, `[serve]`,
//! `[telemetry]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;

use crate::SecretSource;
use crate::read::{
    Node, Reader, gibibytes, hours, kibibytes, mebibytes, millis, minutes, seconds, table, words,
};

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

table! {
    /// The HTTP server of `[[trigger.http]]`.
    pub struct Http: Default {
        /// The address it listens on; port 0 picks a free one.
        listen: SocketAddr = loopback(3000),
        /// Serves HTTPS instead of HTTP.
        tls: Option<Tls>,
        /// Proxies whose `Forwarded` and `X-Forwarded-*` headers are believed.
        trusted_proxies: Vec<IpNet>,
        /// All headers of a request together.
        header_bytes_max: ByteSize [kibibytes(8)..=mebibytes(16)] = kibibytes(64),
        /// Headers of a request.
        headers_max: u32 [1..=10_000] = 100,
        /// How long the headers of a request may take to arrive.
        header_read_timeout: Duration [millis(100)..=hours(1)] = seconds(10),
        /// The largest request body of a function that says nothing else.
        body_bytes_max: ByteSize = gibibytes(10),
        /// How long a connection may stay without a request.
        idle_timeout: Duration [millis(100)..=hours(24)] = seconds(60),
        /// How long a TLS handshake may take.
        handshake_timeout: Duration [millis(100)..=hours(1)] = seconds(10),
        /// Connections at once.
        connections_max: u32 [1..=10_000_000] = 10_000,
        /// Requests after which a connection is closed.
        requests_per_connection_max: u32 [1..=1_000_000_000] = 1_000_000,
        /// HTTP/2 streams of a connection at once.
        h2_streams_max: u32 [1..=100_000] = 200,
        /// Pending resets of HTTP/2 streams at which a connection is closed.
        h2_resets_max: u32 [1..=100_000] = 100,
    }
}

table! {
    /// The certificate of the HTTP server.
    pub struct Tls {
        /// The certificate chain, PEM, relative to the manifest.
        cert: PathBuf,
        /// The private key, PEM, relative to the manifest.
        key: PathBuf,
    }
}

table! {
    /// The admin API, the console, health and metrics.
    pub struct Admin: Default {
        /// The address it listens on; port 0 picks a free one.
        listen: SocketAddr = loopback(3001),
        /// The bearer token; required on an address that is not loopback.
        token: Option<SecretSource>,
        /// Names under which it is reached besides `localhost` and IP addresses, such as
        /// `wfh.internal`; a request for another `Host` is refused.
        hosts: Vec<String>,
        /// The largest body of a request, the payload of an invocation among them.
        body_bytes_max: ByteSize [kibibytes(1)..=gibibytes(1)] = mebibytes(8),
        /// Connections at once.
        connections_max: u32 [8..=10_000] = 256,
        /// Requests a second.
        requests_per_second_max: u32 [1..=1_000_000] = 200,
    }
}

table! {
    /// The WebAssembly engine and its pool.
    pub struct Engine: Default {
        /// Instances of all functions at once.
        instances_max: u32 [1..=1_000_000] = 1_000,
        /// Memory of an instance that is wiped by copying instead of being given back.
        memory_keep_resident: ByteSize [ByteSize(0)..=gibibytes(4)] = mebibytes(2),
        /// The same for the tables of an instance.
        table_keep_resident: ByteSize [ByteSize(0)..=gibibytes(1)] = kibibytes(64),
        /// Whether the kernel is asked which pages an instance changed.
        pagemap_scan: Switch = Switch::Auto,
        /// The directory of compiled components.
        cache_bytes_max: ByteSize = gibibytes(4),
        /// How long an init may run before its snapshot is taken.
        init_timeout: Duration [millis(1)..=minutes(15)] = seconds(60),
        /// The stack of a guest.
        stack_bytes_max: ByteSize [kibibytes(64)..=mebibytes(64)] = mebibytes(1),
        /// How tasks are spread over threads.
        scheduler: Scheduler = Scheduler::PerCore,
        /// Threads that run functions; one per core without it.
        workers: Option<u32> [1..=1_024],
        /// Threads that compile components; one per core without it.
        compile_threads: Option<u32> [1..=1_024],
    }
}

words! {
    /// Whether something is used that not every machine has.
    pub enum Switch {
        /// Where the machine has it.
        Auto = "auto",
        /// Always; a machine without it is refused.
        On = "on",
        /// Never.
        Off = "off",
    }
}

words! {
    /// How tasks are spread over threads.
    pub enum Scheduler {
        /// One runtime per core; a connection stays where it was accepted.
        PerCore = "per-core",
        /// One runtime whose threads take work from each other.
        WorkStealing = "work-stealing",
    }
}

table! {
    /// The HTTP calls that functions make.
    pub struct Outgoing: Default {
        /// How long a connection may take to be made.
        connect_timeout: Duration [millis(1)..=minutes(15)] = seconds(10),
        /// How long an answer may take to begin.
        first_byte_timeout: Duration [millis(1)..=minutes(15)] = seconds(60),
        /// How long an answer may pause.
        between_bytes_timeout: Duration [millis(1)..=minutes(15)] = seconds(60),
        /// Idle connections kept per function and host.
        idle_connections_max: u32 [0..=10_000] = 32,
    }
}

table! {
    /// Bounds of the whole host.
    pub struct Limits: Default {
        /// Invocations in flight at once, of all functions together.
        invocations_max: u32 [1..=1_000_000] = 1_000,
        /// Memory of all sandboxes together. When it is used up, calls are answered 503 until some
        /// have ended. Three quarters of what the machine or the container has without it.
        memory: Option<ByteSize> [mebibytes(16)..=gibibytes(65_536)],
        /// How often one event may lead to another before the chain is cut.
        hops_max: u8 [1..=255] = 16,
    }
}

table! {
    /// Start and stop of the host.
    pub struct Serve: Default {
        /// How long after a stop signal work is still taken, for load balancers to notice.
        drain_delay: Duration [millis(0)..=hours(1)] = seconds(0),
        /// How long work in flight may take to end.
        shutdown_timeout: Duration [millis(0)..=hours(1)] = seconds(30),
        /// Where the host keeps its data, relative to the manifest; `.wfh` without it.
        data_dir: Option<PathBuf>,
    }
}

table! {
    /// Logs, traces and metrics; OTEL_* environment variables win.
    #[check(endpoint)]
    pub struct Telemetry: Default {
        /// How log lines look; without it `human` on a terminal and `json` elsewhere.
        log_format: Option<LogFormat>,
        /// What is logged, such as `info` or `warn,wfh_engine=debug`.
        log_level: String = "info".to_owned(),
        /// The service's name in traces; the app's name without it.
        service_name: Option<String>,
        /// How much of the log is kept in the data directory for `wfh logs`; `0B` keeps none.
        log_ring_bytes_max: ByteSize [ByteSize(0)..=gibibytes(64)] = mebibytes(16),
        /// Records of ended invocations a second; further ones are left out and counted. 0 writes
        /// none.
        invocation_records_per_second_max: u32 = 1_000,
        /// The collector that traces, metrics and log records go to, such as
        /// `http://localhost:4318`; none without it. `OTEL_EXPORTER_OTLP_ENDPOINT` wins.
        otlp_endpoint: Option<String>,
        /// How the collector is spoken to: `http/protobuf` or `grpc`.
        otlp_protocol: OtlpProtocol = OtlpProtocol::HttpProtobuf,
        /// The share of traces that are exported of those that begin here; those that begin
        /// elsewhere go by what was decided there. `OTEL_TRACES_SAMPLER` wins.
        sample_ratio: f64 [0.0..=1.0] = 1.0,
        /// Spans that are kept in memory for `wfh traces` and the console; 0 keeps none.
        trace_ring_spans_max: u32 [0..=1_000_000] = 4_096,
    }
}

/// A base, to which exporters add the path of each signal.
fn endpoint(telemetry: &Telemetry, node: &Node<'_>, reader: &mut Reader<'_>) {
    let Some(text) = &telemetry.otlp_endpoint else { return };
    let parsed = url::Url::parse(text).ok();
    let told = match parsed {
        Some(url) if ["http", "https"].contains(&url.scheme()) && url.has_host() => {
            if !url.path().ends_with("/v1/traces") {
                return;
            }
            "the path of a signal is added by itself; expected the collector alone"
        }
        _ => "expected a URL such as \"http://localhost:4318\"",
    };
    reader.report_at(node, "otlp_endpoint", format!("{text:?}: {told}"));
}

words! {
    /// How a collector is spoken to.
    pub enum OtlpProtocol {
        /// OTLP over HTTP with Protocol Buffers.
        HttpProtobuf = "http/protobuf",
        /// OTLP over gRPC.
        Grpc = "grpc",
    }
}

words! {
    /// How log lines look.
    pub enum LogFormat {
        /// For people.
        Human = "human",
        /// One JSON object a line.
        Json = "json",
    }
}
