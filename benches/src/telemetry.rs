//! What it costs to be seen: spans to a collector, to one that is away, and to nobody.

use std::convert::Infallible;
use std::net::TcpListener as StdListener;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use wfh_otel::{Otel, OtelConfig, Protocol, Signals};
use wfh_telemetry::{KeyValue, attribute, meters};

use crate::client::{closed_loop, get, paced};
use crate::figures::ROUND_TIME;
use crate::peers::{Programs, manifest};
use crate::pipeline::ask_admin;
use crate::process::{Server, free_port};
use crate::report::{figure, median};

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;
/// 5,000 a second.
const PERIOD: Duration = Duration::from_micros(200);
const RATE_TIME: Duration = Duration::from_secs(10);

/// A collector that takes everything, in a process of its own.
pub(crate) fn collect(port: u16) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let service = service_fn(|request: Request<Incoming>| async {
                let _ = request.into_body().collect().await;
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
}

/// Throughput of hello in each way of being seen, against one that keeps no spans at all.
pub(crate) fn run(programs: &Programs) {
    let port = free_port();
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["collect", &port.to_string()]);
    let collector = Server::start(command, port);
    let to = |url: &str, ratio: &str| format!("otlp_endpoint = \"{url}\"\nsample_ratio = {ratio}");
    let url = format!("http://{}", collector.address);
    // It takes connections and says nothing.
    let stalled = StdListener::bind("127.0.0.1:0").expect("a port");
    let stalled_url = format!("http://{}", stalled.local_addr().expect("an address"));
    let away = format!("http://127.0.0.1:{}", free_port());
    let ways = [
        ("nothing kept, nothing sent", "trace_ring_spans_max = 0".to_owned(), ""),
        // How much two hosts differ that do the same.
        ("the same again", "trace_ring_spans_max = 0".to_owned(), ""),
        ("the last spans kept (the default)", String::new(), ""),
        ("1 % sent", to(&url, "0.01"), "0.95"),
        ("100 % sent", to(&url, "1.0"), ""),
        ("100 %, the collector is away", to(&away, "1.0"), "0.95"),
        ("100 %, the collector stalls", to(&stalled_url, "1.0"), "0.95"),
    ];
    let guest = programs.guest("hello");
    let told =
        |keys: &str| manifest(&[("hello", &guest, "reuse = 128")], &format!("[telemetry]\n{keys}"));
    let servers: Vec<Server> =
        ways.iter().map(|(_, keys, _)| programs.wfh_apart(&told(keys))).collect();
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); ways.len()];
    for round in 0..ROUNDS {
        // Another order each time: their number is a prime.
        for at in (0..ways.len()).map(|at| (at * (round + 1)) % ways.len()) {
            let load = closed_loop(servers[at].address, &get("/"), CONNECTIONS, ROUND_TIME);
            rates[at].push(load.per_second());
        }
    }
    let rates: Vec<f64> = rates.into_iter().map(median).collect();
    figure("requests a second, nothing kept and nothing sent", rates[0], "/s", "", "");
    for ((name, _, must), rate) in ways.iter().zip(&rates).skip(1) {
        figure(&format!("{name} / nothing"), rate / rates[0], "x", must, "");
    }
    for ((name, ..), server) in ways.iter().zip(&servers).skip(4) {
        figure(&format!("RSS, {name}"), server.rss_mib(), "MiB", "", "");
    }
    let before = servers[0].cpu_us();
    let load = closed_loop(servers[0].address, &get("/"), CONNECTIONS, ROUND_TIME);
    let request = (servers[0].cpu_us() - before) / load.requests as f64;
    drop(servers);
    let cpu = |keys: &str| {
        let admin = free_port();
        let server = programs.wfh_with_admin(&told(keys), admin);
        paced(server.address, &get("/"), PERIOD, Duration::from_secs(1));
        let before = server.cpu_us();
        let calls = paced(server.address, &get("/"), PERIOD, RATE_TIME).requests;
        let us = (server.cpu_us() - before) / calls as f64;
        std::thread::sleep(Duration::from_secs(6));
        let metrics = ask_admin(([127, 0, 0, 1], admin).into(), "/metrics");
        let dropped = metrics.lines().find(|line| line.contains("error_type=\"queue_full\""));
        let dropped = dropped.and_then(|line| line.rsplit(' ').next()?.parse().ok());
        (us, dropped.unwrap_or(0.0))
    };
    let (without, _) = cpu("trace_ring_spans_max = 0");
    let (with, dropped) = cpu(&to(&url, "1.0"));
    figure("CPU of a span that is sent, at 5,000 a second", with - without, "us", "8", "");
    figure("spans dropped at 5,000 a second", dropped, "", "0", "");
    let metrics = metrics_of_a_request_us();
    figure("CPU of the metrics of a request", metrics, "us", "", "");
    figure("the same / CPU of a request under load", metrics / request, "x", "0.02", "");
}

/// What a request for a function is measured with, again and again.
fn metrics_of_a_request_us() -> f64 {
    const TIMES: u32 = 1_000_000;
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let config = OtelConfig {
        service_name: "bench".to_owned(),
        service_version: String::new(),
        instance_id: String::new(),
        endpoint: None,
        protocol: Protocol::HttpProtobuf,
        signals: Signals { traces: false, metrics: false, logs: false },
        spans_waiting_max: 1,
        tls: || unreachable!("nothing is sent"),
    };
    let _otel = Otel::start(&config).expect("a meter");
    let (calls, sandboxes) = (meters().calls("hello", "http"), meters().sandboxes("hello"));
    let route: Arc<str> = "/".into();
    let took = Duration::from_micros(80);
    let began = Instant::now();
    for _ in 0..TIMES {
        calls.ended(took);
        calls.went_well(1);
        sandboxes.used_memory(1 << 20);
        sandboxes.used_processor(took);
        let about = [
            KeyValue::new(attribute::HTTP_REQUEST_METHOD, "GET"),
            KeyValue::new(attribute::URL_SCHEME, "http"),
            KeyValue::new(attribute::NETWORK_PROTOCOL_VERSION, "1.1"),
            KeyValue::new(attribute::HTTP_RESPONSE_STATUS_CODE, 200),
            KeyValue::new(attribute::HTTP_ROUTE, Arc::clone(&route)),
        ];
        meters().request_served(took, &about);
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
}
