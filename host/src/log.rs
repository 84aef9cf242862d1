//! Logs to standard error, from one thread that no guest and no slow terminal can hold up.
//!
//! Lines wait until the first line of `serve` is out, which scripts rely on. The queue is bounded;
//! what does not fit is dropped and counted.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::environment;

const LINES_MAX: usize = 8192;
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);
/// What a line must come from to be shown without being asked for.
const DEFAULT_FILTER: &str = "info";
/// Libraries whose warnings are about guests' doings, which our own records tell better.
const QUIET: &str = "wasmtime_wasi_http=error,hyper_util=error";

static LOG: OnceLock<Queue> = OnceLock::new();

struct Queue {
    sender: SyncSender<Vec<u8>>,
    dropped: AtomicU64,
    queued: AtomicU64,
    written: AtomicU64,
    released: Mutex<bool>,
    release: Condvar,
}

/// Starts logging. `json` picks the format, `level` the filter unless the environment has one.
pub(crate) fn start(json: bool, level: &str) {
    let (sender, receiver) = sync_channel(LINES_MAX);
    let queue = Queue {
        sender,
        dropped: AtomicU64::new(0),
        queued: AtomicU64::new(0),
        written: AtomicU64::new(0),
        released: Mutex::new(false),
        release: Condvar::new(),
    };
    if LOG.set(queue).is_err() {
        return;
    }
    let writer = std::thread::Builder::new().name("wfh-log".to_owned());
    if let Err(error) = writer.spawn(move || write_lines(&receiver)) {
        eprintln!("logging cannot start: {error}");
        return;
    }
    let asked = environment::log_filter().unwrap_or_else(|| level.to_owned());
    let filter = EnvFilter::try_new(format!("{QUIET},{asked}"))
        .unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(ToQueue);
    if json {
        builder.json().flatten_event(true).init();
    } else {
        let color = io::stderr().is_terminal() && !environment::no_color();
        builder.with_ansi(color).with_target(false).init();
    }
}

/// Lets the lines out that were held back.
pub(crate) fn release() {
    if let Some(queue) = LOG.get() {
        *queue.released.lock().unwrap_or_else(PoisonError::into_inner) = true;
        queue.release.notify_all();
    }
}

/// Waits until what was logged so far is written, a bounded time.
pub(crate) fn flush() {
    let Some(queue) = LOG.get() else { return };
    let give_up = Instant::now() + FLUSH_TIMEOUT;
    let target = queue.queued.load(Ordering::Acquire);
    while queue.written.load(Ordering::Acquire) < target && Instant::now() < give_up {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn write_lines(receiver: &Receiver<Vec<u8>>) {
    let Some(queue) = LOG.get() else { return };
    let released = queue.released.lock().unwrap_or_else(PoisonError::into_inner);
    drop(queue.release.wait_while(released, |released| !*released));
    let mut stderr = io::stderr();
    loop {
        match receiver.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => {
                // Nobody is left to tell when standard error is gone.
                let _ = stderr.write_all(&line);
                queue.written.fetch_add(1, Ordering::Release);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let dropped = queue.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let _ = writeln!(
                stderr,
                "{{\"level\":\"WARN\",\"message\":\"log lines dropped\",\"lines\":{dropped}}}"
            );
        }
    }
}

/// Queues each record as one line.
struct ToQueue;

impl<'a> MakeWriter<'a> for ToQueue {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Vec::new())
    }
}

/// One record, queued when it is complete.
struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Some(queue) = LOG.get() else { return };
        match queue.sender.try_send(std::mem::take(&mut self.0)) {
            Ok(()) => {
                queue.queued.fetch_add(1, Ordering::Release);
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                queue.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
