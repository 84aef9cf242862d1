//! Advances the epoch each millisecond while guests run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// How often a running guest looks up.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without any guest before the thread goes to sleep: an idle host must not wake a core.
const IDLE_TICKS_MAX: u32 = 100;

/// Counts running guests and owns the ticking thread.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    running: AtomicUsize,
    asleep: AtomicBool,
    stop: AtomicBool,
}

/// A guest that runs; dropped when it ends.
pub(crate) struct Running(Arc<Shared>);

impl Ticker {
    pub(crate) fn start(engines: Vec<Engine>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let ticking = Arc::clone(&shared);
        let handle = thread::Builder::new()
            .name("wfh-ticker".to_owned())
            .spawn(move || tick(&ticking, &engines))?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    /// Announces a guest.
    pub(crate) fn guest(&self) -> Running {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(Arc::clone(&self.shared))
    }
}

impl Clone for Running {
    fn clone(&self) -> Self {
        self.0.running.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn tick(shared: &Shared, engines: &[Engine]) {
    let mut idle_ticks = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        if shared.running.load(Ordering::SeqCst) > 0 {
            idle_ticks = 0;
        } else {
            idle_ticks += 1;
        }
        if idle_ticks > IDLE_TICKS_MAX {
            sleep_until_needed(shared);
            idle_ticks = 0;
        }
        thread::sleep(TICK);
        engines.iter().for_each(Engine::increment_epoch);
    }
}

/// Sets `asleep` before it looks at `running` once more: a guest that begins in between either is
/// seen here or sees `asleep` and unparks.
fn sleep_until_needed(shared: &Shared) {
    shared.asleep.store(true, Ordering::SeqCst);
    while shared.running.load(Ordering::SeqCst) == 0 && !shared.stop.load(Ordering::SeqCst) {
        thread::park();
    }
    shared.asleep.store(false, Ordering::SeqCst);
}
