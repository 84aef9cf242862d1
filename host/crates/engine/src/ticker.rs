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

/// Owns the ticking thread.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    /// A guest was polled since the last tick. Read on every poll, written once a tick, so that the
    /// cores do not fight over it.
    polled: AtomicBool,
    /// Guests that are polled where nobody can announce it.
    held: AtomicUsize,
    asleep: AtomicBool,
    stop: AtomicBool,
}

/// Keeps the epoch advancing until it is dropped.
pub(crate) struct Hold(Arc<Shared>);

impl Ticker {
    pub(crate) fn start(engines: Vec<Engine>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let ticking = Arc::clone(&shared);
        let handle = thread::Builder::new()
            .name("wfh-ticker".to_owned())
            .spawn(move || tick(&ticking, &engines))?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    /// Announces that a guest is about to be polled.
    pub(crate) fn guest_is_polled(&self) {
        if !self.shared.polled.load(Ordering::SeqCst) {
            self.shared.polled.store(true, Ordering::SeqCst);
            self.wake();
        }
    }

    /// Keeps the epoch advancing for a guest that is polled out of sight.
    pub(crate) fn hold(&self) -> Hold {
        self.shared.held.fetch_add(1, Ordering::SeqCst);
        self.wake();
        Hold(Arc::clone(&self.shared))
    }

    fn wake(&self) {
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Shared {
    fn is_needed(&self) -> bool {
        self.polled.load(Ordering::SeqCst) || self.held.load(Ordering::SeqCst) > 0
    }
}

fn tick(shared: &Shared, engines: &[Engine]) {
    let mut idle_ticks = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        idle_ticks = if shared.is_needed() { 0 } else { idle_ticks + 1 };
        shared.polled.store(false, Ordering::SeqCst);
        if idle_ticks > IDLE_TICKS_MAX {
            sleep_until_needed(shared);
            idle_ticks = 0;
        }
        thread::sleep(TICK);
        engines.iter().for_each(Engine::increment_epoch);
    }
}

/// Sets `asleep` before it looks once more: a guest that begins in between either is seen here or
/// sees `asleep` and unparks.
fn sleep_until_needed(shared: &Shared) {
    shared.asleep.store(true, Ordering::SeqCst);
    while !shared.is_needed() && !shared.stop.load(Ordering::SeqCst) {
        thread::park();
    }
    shared.asleep.store(false, Ordering::SeqCst);
}
