//! What is measured, one function a figure.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{closed_loop, count, get, open_loop, paced};
use crate::peers::{Peer, Programs, manifest};
use crate::process::Server;
use crate::report::{figure, figure_head, median};

const ROUNDS: usize = 5;
pub(crate) const ROUND_TIME: Duration = Duration::from_secs(3);
const WARM_UP: Duration = Duration::from_secs(1);
const CONNECTIONS: usize = 32;

/// Runs the named figures, or all.
pub(crate) fn run(programs: &Programs, names: &[&str]) {
    let wanted = |name: &str| names.is_empty() || names.contains(&name);
    if wanted("throughput") {
        throughput(programs);
    }
    figure_head();
    if wanted("engine") {
        engine(programs);
    }
    if wanted("init") {
        crate::init::pre_initialization(programs);
    }
    if wanted("spin") {
        beside_hostile_guests(programs);
    }
    if wanted("start") {
        start_to_first_answer(programs);
    }
    if wanted("thousand") {
        thousand_functions(programs);
    }
    if wanted("idle") {
        idle(programs);
    }
    if wanted("rss") {
        memory(programs);
    }
    if wanted("body") {
        large_body(programs);
    }
    if wanted("latency") {
        latency(programs);
    }
    // Long, and with servers of its own: only when asked for.
    if names.contains(&"pipeline") {
        crate::pipeline::queue_to_function(programs);
        crate::pipeline::replay(programs);
    }
    if names.contains(&"overload") {
        overload(programs);
    }
    if names.contains(&"telemetry") {
        crate::telemetry::run(programs);
    }
    if names.contains(&"streams") {
        crate::streams::run(programs);
    }
    if wanted("leak") {
        leak(programs);
    }
}

/// Ten times what a function can take: what it still does, and how soon it is itself again.
fn overload(programs: &Programs) {
    const CONCURRENCY: usize = 16;
    const CALLERS: usize = 400;
    const TIME: Duration = Duration::from_secs(30);
    let guest = programs.guest("sleep").display().to_string();
    let server = programs.wfh(&format!(
        "[app]\nname = \"bench\"\n[function.sleep]\ncomponent = {guest:?}\n\
         concurrency = {CONCURRENCY}\nqueue_timeout = \"50ms\"\n\
         [[trigger.http]]\nroute = \"/\"\ntarget = \"function:sleep\"\n"
    ));
    let request = get("/?ms=20");
    let capacity = closed_loop(server.address, &request, CONCURRENCY, ROUND_TIME).per_second();
    let before = server.rss_mib();
    let period = Duration::from_secs_f64(CALLERS as f64 / (capacity * 10.0));
    let load = open_loop(server.address, &request, CALLERS, period, TIME);
    let growth = server.rss_mib() - before;
    let after = closed_loop(server.address, &request, CONCURRENCY, Duration::from_secs(2));
    figure("capacity, 20 ms calls at concurrency 16", capacity, "/s", "", "");
    figure("goodput at 10 times of it / capacity", load.per_second() / capacity, "x", "0.8", "");
    figure("refused of them", load.errors as f64 / load.seconds / capacity, "x", "", "");
    figure("p99 of those that were taken", load.quantile_us(0.99) / 1e3, "ms", "", "");
    figure("RSS growth meanwhile", growth, "MiB", "", "");
    figure("the two seconds after / capacity", after.per_second() / capacity, "x", "0.9", "");
}

/// Requests per second of everyone, in interleaved rounds.
fn throughput(programs: &Programs) {
    let peers = [
        Peer::WfhFresh,
        Peer::WfhWorkStealing,
        Peer::WfhReuse,
        Peer::WasmtimeDefault,
        Peer::WasmtimePool,
        Peer::WasmtimeReuse,
        Peer::Bare,
    ];
    let servers: Vec<Server> = peers.iter().map(|peer| programs.start(*peer, "hello")).collect();
    for server in &servers {
        closed_loop(server.address, &get("/"), CONNECTIONS, WARM_UP);
    }
    let mut rows: Vec<Vec<[f64; 4]>> = vec![Vec::new(); peers.len()];
    for _ in 0..ROUNDS {
        for (server, row) in servers.iter().zip(&mut rows) {
            let cpu = server.cpu_us();
            let load = closed_loop(server.address, &get("/"), CONNECTIONS, ROUND_TIME);
            assert_eq!(load.errors, 0, "a request failed under plain load");
            let cpu = (server.cpu_us() - cpu) / load.requests as f64;
            row.push([load.per_second(), cpu, load.quantile_us(0.5), load.quantile_us(0.99)]);
        }
    }
    let middle = |row: &[[f64; 4]], column: usize| {
        median(row.iter().map(|measured| measured[column]).collect())
    };
    println!("| server | requests/s | CPU us/request | p50 us | p99 us | RSS MiB |");
    println!("|---|---|---|---|---|---|");
    for ((peer, server), row) in peers.iter().zip(&servers).zip(&rows) {
        let columns = [0, 1, 2, 3].map(|column| middle(row, column));
        let [rate, cpu, p50, p99] = columns;
        println!(
            "| {} | {rate:.0} | {cpu:.1} | {p50:.0} | {p99:.0} | {:.0} |",
            peer.name(),
            server.rss_mib()
        );
    }
    let ratio = |a: usize, b: usize| {
        median(rows[a].iter().zip(&rows[b]).map(|(a, b)| a[0] / b[0]).collect())
    };
    figure_head();
    figure("fresh / `wasmtime serve` default", ratio(0, 3), "x", "2.4", "3");
    figure("fresh / `wasmtime serve` best pool", ratio(0, 4), "x", "1.5", "1.9");
    figure("reuse = 128 / best pool with the same reuse", ratio(2, 5), "x", "1.3", "1.5");
}

fn engine(programs: &Programs) {
    let wasm = std::fs::read(programs.guest("event_echo")).expect("the guest");
    figure("engine alone, event-sized call", crate::engine_alone::micros(&wasm), "us", "15", "10");
}

/// hello's p99 while 64 callers spin and 16 take all the memory they can get.
fn beside_hostile_guests(programs: &Programs) {
    let (hello, spin, alloc) =
        (programs.guest("hello"), programs.guest("spin"), programs.guest("alloc"));
    let server = programs.wfh(&manifest(
        &[
            ("hello", &hello, ""),
            ("spin", &spin, "timeout = \"1s\""),
            ("alloc", &alloc, "memory = \"64MiB\"\ntimeout = \"1s\""),
        ],
        "",
    ));
    let address = server.address;
    let alone = closed_loop(address, &get("/"), 4, ROUND_TIME).quantile_us(0.99);
    let hostile = |path: &'static str, callers| {
        std::thread::spawn(move || {
            closed_loop(address, &get(path), callers, ROUND_TIME * 3);
        })
    };
    let attackers = [hostile("/spin", 64), hostile("/alloc", 16)];
    std::thread::sleep(ROUND_TIME / 2);
    let beside = closed_loop(address, &get("/"), 4, ROUND_TIME * 2);
    assert_eq!(beside.errors, 0, "hello failed beside hostile guests");
    for attacker in attackers {
        attacker.join().expect("an attacker");
    }
    let p99 = beside.quantile_us(0.99);
    println!("| hello's p99 alone, 4 callers | {:.2} ms | | |", alone / 1000.0);
    figure("the same beside 64 spinning and 16 bombing", p99 / 1000.0, "ms", "5x, floor 20", "2x");
}

/// From the start of the process to its first 200, everything cached.
fn start_to_first_answer(programs: &Programs) {
    let wasm = variants(programs, 10);
    let text = many(&wasm);
    drop(programs.wfh(&text));
    let times = (0..11).map(|_| {
        let start = Instant::now();
        let server = programs.wfh(&text);
        let answered = count(server.address, &get("/"), 1, 1);
        assert_eq!(answered.errors, 0, "the first request failed");
        start.elapsed().as_secs_f64() * 1000.0
    });
    figure("process start to first 200, 10 functions", median(times.collect()), "ms", "60", "20");
}

/// A thousand different functions from the cache.
fn thousand_functions(programs: &Programs) {
    let text = many(&variants(programs, 1000));
    drop(programs.wfh(&text));
    let start = Instant::now();
    let server = programs.wfh(&text);
    let seconds = start.elapsed().as_secs_f64();
    figure("1,000 functions from the cache to ready", seconds, "s", "3", "1");
    figure("their memory", server.rss_mib(), "MiB RSS", "600", "300");
}

/// A hundred different functions that nobody calls.
fn idle(programs: &Programs) {
    const WATCHED: Duration = Duration::from_secs(20);
    let text = many(&variants(programs, 100));
    drop(programs.wfh_in("idle", &text, 0));
    let server = programs.wfh_in("idle", &text, 0);
    let code = mib_below(&programs.directory().join("idle/cache"));
    std::thread::sleep(Duration::from_secs(2));
    let (before, start) = (server.cpu_us(), Instant::now());
    std::thread::sleep(WATCHED);
    let share = (server.cpu_us() - before) / start.elapsed().as_micros() as f64;
    figure("idle, 100 functions: part of a core", share * 100.0, "%", "0.2", "");
    figure("their RSS beyond compiled code", server.rss_mib() - code, "MiB", "60", "");
}

/// The files below a directory.
fn mib_below(directory: &Path) -> f64 {
    let entries = std::fs::read_dir(directory).expect("a directory").map(|entry| {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => mib_below(&path),
            false => path.metadata().expect("its size").len() as f64 / (1 << 20) as f64,
        }
    });
    entries.sum()
}

fn memory(programs: &Programs) {
    // From the cache, as every start but the first.
    let text = manifest(&[("hello", &programs.guest("hello"), "")], "");
    drop(programs.wfh_in("rss", &text, 0));
    let server = programs.wfh_in("rss", &text, 0);
    let answered = count(server.address, &get("/"), 1, 1);
    assert_eq!(answered.errors, 0, "the first request failed");
    figure("RSS idle, one function", server.rss_mib(), "MiB", "40", "25");
    closed_loop(server.address, &get("/"), 256, ROUND_TIME);
    figure("RSS under 256 connections", server.rss_mib(), "MiB", "120", "80");
}

/// 1 GiB through echo-stream, interleaved with the same through `wasmtime serve`.
fn large_body(programs: &Programs) {
    let peers =
        [Peer::WfhFresh, Peer::WasmtimeDefault].map(|peer| programs.start(peer, "echo_stream"));
    let ratios = (0..3).map(|_| {
        let [ours, theirs] = peers.each_ref().map(|server| echo_seconds(server, 1 << 30));
        theirs / ours
    });
    let before = peers[0].rss_mib();
    let ratio = median(ratios.collect());
    figure("1 GiB through echo-stream / `wasmtime serve`", ratio, "x", "1.0", "2");
    figure("growth of RSS over these bodies", peers[0].rss_mib() - before, "MiB", "32", "");
}

fn echo_seconds(server: &Server, bytes: u64) -> f64 {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let start = Instant::now();
        let stream = TcpStream::connect(server.address).await.expect("a connection");
        let (mut reader, mut writer) = stream.into_split();
        let sending = tokio::spawn(async move {
            let head = format!(
                "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {bytes}\r\n\
                 connection: close\r\n\r\n"
            );
            writer.write_all(head.as_bytes()).await.expect("to send");
            let chunk = vec![7_u8; 1 << 16];
            for _ in 0..bytes / (1 << 16) {
                writer.write_all(&chunk).await.expect("to send");
            }
            writer
        });
        let (mut received, mut buffer) = (0_u64, vec![0_u8; 1 << 18]);
        loop {
            let read = reader.read(&mut buffer).await.expect("to receive");
            if read == 0 {
                break;
            }
            received += read as u64;
        }
        drop(sending.await.expect("the sender"));
        assert!(received >= bytes, "only {received} of {bytes} bytes came back");
        start.elapsed().as_secs_f64()
    })
}

/// An otherwise idle host at 100 requests a second.
fn latency(programs: &Programs) {
    let server = programs.start(Peer::WfhFresh, "hello");
    closed_loop(server.address, &get("/"), 1, WARM_UP);
    let load = paced(server.address, &get("/"), Duration::from_millis(10), Duration::from_secs(5));
    figure("p50 at 100 requests/s, end to end", load.quantile_us(0.5), "us", "300", "");
}

fn leak(programs: &Programs) {
    let server = programs.start(Peer::WfhFresh, "hello");
    let send = |requests| {
        let load = count(server.address, &get("/"), CONNECTIONS, requests);
        assert_eq!(load.errors, 0, "a request failed");
    };
    send(200_000);
    let before = server.rss_mib();
    send(2_000_000);
    figure("growth over 2,000,000 requests", server.rss_mib() - before, "MiB", "8", "0");
}

/// hello, made different `count` times by a custom section.
fn variants(programs: &Programs, count: usize) -> Vec<PathBuf> {
    let wasm = std::fs::read(programs.guest("hello")).expect("the guest");
    (0..count)
        .map(|index| {
            let name = format!("v{index:04}");
            let mut bytes = wasm.clone();
            bytes.extend([0, name.len() as u8 + 1, name.len() as u8]);
            bytes.extend(name.as_bytes());
            let path = programs.directory().join(format!("{name}.wasm"));
            std::fs::write(&path, bytes).expect("a component");
            path
        })
        .collect()
}

fn many(components: &[PathBuf]) -> String {
    let names: Vec<String> = (0..components.len()).map(|index| format!("f{index}")).collect();
    let functions: Vec<_> = names
        .iter()
        .zip(components)
        .map(|(name, path)| (name.as_str(), path.as_path(), ""))
        .collect();
    manifest(&functions, "")
}
