//! The load harness: wfh and its peers over loopback, in one run, in interleaved rounds.
//!
//! `scripts/bench` builds what it needs and calls it; docs/benchmarks.md explains the figures.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a harness stops at the first surprise"
)]

mod bare;
mod client;
mod engine_alone;
mod figures;
mod init;
mod peers;
mod pipeline;
mod process;
mod report;
mod store;
mod streams;
mod telemetry;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: wfh-benches bare PORT | collect PORT | store | run WFH WASMTIME GUESTS [FIGURE...]
figures: throughput engine init spin start thousand idle rss body leak latency pipeline streams telemetry overload";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["bare", port] => bare::serve(port.parse().expect("a port")),
        ["collect", port] => telemetry::collect(port.parse().expect("a port")),
        ["store"] => store::run(),
        ["run", wfh, wasmtime, guests, figures @ ..] => {
            figures::run(&peers::Programs::new(wfh, wasmtime, guests), figures);
        }
        _ => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    }
}
