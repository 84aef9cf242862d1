//! Logs to standard error and into the ring, each from one thread that no guest, no slow terminal
//! and no slow disk can hold up.
//!
//! Lines for standard error wait until the first line of `serve` is out, which scripts rely on. The
//! queues are bounded; what does not fit is dropped and counted.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::filter::{FilterExt, LevelFilter, dynamic_filter_fn};
use tracing_subscriber::layer::{Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use wfh_otel::LogLayer;

use crate::environment;
use crate::ring::Writer;

mod queue;

use queue::Queue;

/// What a line must come from to be shown without being asked for.
const DEFAULT_FILTER: &str = "info";
/// Libraries whose warnings are about guests' doings, which our own records tell better.
const QUIET: &str = "wasmtime_wasi_http=error,hyper_util=error";
/// The ring keeps this whatever is shown: also how every invocation ended.
const RING_FILTER: &str = "info,wfh::invocation=debug";

/// How often what exports telemetry may say that it cannot: a collector that is away makes each batch
/// fail.
const EXPORT_ERRORS_EVERY: Duration = Duration::from_secs(30);

static STDERR: OnceLock<Queue> = OnceLock::new();
static RING: OnceLock<Queue> = OnceLock::new();
/// Changes what is shown on standard error.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();
static RELEASED: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// What is exported; what exporting itself logs would make more of it.
const EXPORT_FILTER: &str = "info,opentelemetry=off,opentelemetry_sdk=off,opentelemetry_otlp=off,tonic=off,h2=off,hyper=off";

type AnyLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging. `json` picks the format, `level` the filter unless the environment has one.
pub(crate) fn start(json: bool, level: &str, ring: Option<Writer>, export: Option<LogLayer>) {
    let asked = environment::log_filter().unwrap_or_else(|| level.to_owned());
    let mut layers = Vec::new();
    let (queue, lines) = Queue::new();
    if STDERR.set(queue.clone()).is_err() {
        return;
    }
    spawn("wfh-log", move || write_stderr(&lines));
    layers.push(to_stderr(json, queue, &asked));
    if let Some(writer) = ring {
        let (queue, lines) = Queue::new();
        layers.push(to_ring(queue.clone()));
        let _ = RING.set(queue);
        spawn("wfh-log-ring", move || write_ring(&lines, writer));
    }
    if let Some(export) = export {
        let filter = EnvFilter::new(format!("{QUIET},{EXPORT_FILTER}"));
        layers.push(export.with_filter(filter).boxed());
    }
    tracing_subscriber::registry().with(layers).init();
}

fn to_stderr(json: bool, queue: Queue, asked: &str) -> AnyLayer {
    let (filter, handle) = reload::Layer::new(filter(asked));
    let _ = LEVEL.set(handle);
    let layer = fmt::layer().with_writer(queue);
    if json {
        return layer.json().flatten_event(true).with_filter(filter.and(seldom())).boxed();
    }
    let color = io::stderr().is_terminal() && !environment::no_color();
    layer.with_ansi(color).with_target(false).with_filter(filter.and(seldom())).boxed()
}

/// Lets records of the SDK's through now and then.
fn seldom() -> impl Filter<Registry> + Send + Sync {
    let began = Instant::now();
    let next_s = AtomicU64::new(0);
    dynamic_filter_fn(move |metadata, _| {
        if !metadata.target().starts_with("opentelemetry") {
            return true;
        }
        let now_s = began.elapsed().as_secs();
        let due_s = next_s.load(Ordering::Relaxed);
        let after_s = now_s + EXPORT_ERRORS_EVERY.as_secs();
        let taken = || {
            next_s.compare_exchange(due_s, after_s, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        now_s >= due_s && taken()
    })
    .with_max_level_hint(LevelFilter::TRACE)
}

fn filter(asked: &str) -> EnvFilter {
    EnvFilter::try_new(format!("{QUIET},{asked}"))
        .unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER))
}

/// Shows from now on what `level` says, unless the environment has a filter.
pub(crate) fn set_level(level: &str) {
    if environment::log_filter().is_none()
        && let Some(handle) = LEVEL.get()
    {
        // An error says that nothing is logged any more.
        let _ = handle.reload(filter(level));
    }
}

fn to_ring(queue: Queue) -> AnyLayer {
    let layer = fmt::layer().with_writer(queue).json().flatten_event(true);
    let layer = layer.with_current_span(false).with_span_list(false);
    let filter = EnvFilter::new(format!("{QUIET},{RING_FILTER}"));
    layer.with_filter(filter.and(seldom())).boxed()
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(work) {
        eprintln!("logging cannot start: {error}");
    }
}

/// Lets the lines out that were held back.
pub(crate) fn release() {
    *RELEASED.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
    RELEASED.1.notify_all();
}

/// Lines that did not fit, since the start.
pub(crate) fn dropped() -> u64 {
    [&STDERR, &RING].into_iter().filter_map(OnceLock::get).map(Queue::dropped_ever).sum()
}

/// Waits until what was logged so far is written, a bounded time.
pub(crate) fn flush() {
    for queue in [&STDERR, &RING] {
        if let Some(queue) = queue.get() {
            queue.flush();
        }
    }
}

fn write_stderr(lines: &Receiver<Vec<u8>>) {
    let Some(queue) = STDERR.get() else { return };
    let released = RELEASED.0.lock().unwrap_or_else(PoisonError::into_inner);
    drop(RELEASED.1.wait_while(released, |released| !*released));
    let mut stderr = io::stderr();
    loop {
        match lines.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => {
                // Nobody is left to tell when standard error is gone.
                let _ = stderr.write_all(&line);
                queue.written(1);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let dropped = queue.take_dropped();
        if dropped > 0 {
            let _ = writeln!(
                stderr,
                "{{\"level\":\"WARN\",\"message\":\"log lines dropped\",\"lines\":{dropped}}}"
            );
        }
    }
}

/// Writes what has come together in one piece.
fn write_ring(lines: &Receiver<Vec<u8>>, mut writer: Writer) {
    let Some(queue) = RING.get() else { return };
    while let Ok(first) = lines.recv() {
        let mut count = 1;
        writer.add(&first);
        for line in lines.try_iter().take(1_000) {
            writer.add(&line);
            count += 1;
        }
        writer.write(queue.take_dropped());
        queue.written(count);
    }
}
