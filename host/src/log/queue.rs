//! Lines on their way to a slow place: a bounded queue that never holds up who writes.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

const LINES_MAX: usize = 8192;
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The writing end. Each record becomes one line. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Queue(Arc<Shared>);

struct Shared {
    sender: SyncSender<Vec<u8>>,
    dropped: AtomicU64,
    dropped_ever: AtomicU64,
    queued: AtomicU64,
    written: AtomicU64,
}

impl Queue {
    pub(crate) fn new() -> (Self, Receiver<Vec<u8>>) {
        let (sender, receiver) = sync_channel(LINES_MAX);
        let (dropped, dropped_ever, queued, written) = Default::default();
        (Self(Arc::new(Shared { sender, dropped, dropped_ever, queued, written })), receiver)
    }

    /// Counts lines that are where they belong, or lost for good.
    pub(crate) fn written(&self, lines: u64) {
        self.0.written.fetch_add(lines, Ordering::Release);
    }

    /// How many lines did not fit since it was asked last.
    pub(crate) fn take_dropped(&self) -> u64 {
        self.0.dropped.swap(0, Ordering::Relaxed)
    }

    /// How many lines did not fit at all.
    pub(crate) fn dropped_ever(&self) -> u64 {
        self.0.dropped_ever.load(Ordering::Relaxed)
    }

    /// Waits until what was queued so far is written, a bounded time.
    pub(crate) fn flush(&self) {
        let give_up = Instant::now() + FLUSH_TIMEOUT;
        let target = self.0.queued.load(Ordering::Acquire);
        while self.0.written.load(Ordering::Acquire) < target && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { queue: self.clone(), bytes: Vec::new() }
    }
}

/// One record, queued when it is complete.
pub(crate) struct Line {
    queue: Queue,
    bytes: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let shared = &self.queue.0;
        match shared.sender.try_send(std::mem::take(&mut self.bytes)) {
            Ok(()) => shared.queued.fetch_add(1, Ordering::Release),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                shared.dropped_ever.fetch_add(1, Ordering::Relaxed);
                shared.dropped.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}
