//! The threads that run connections and guests.

use std::io;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;
use wfh_manifest::Scheduler;

/// The workers, one handle per runtime.
pub(crate) enum Workers {
    /// A runtime a core: a connection and its guests stay on one core.
    PerCore { handles: Vec<Handle>, threads: Vec<JoinHandle<()>>, stop: CancellationToken },
    /// One runtime whose threads take work from each other.
    WorkStealing(Runtime),
}

impl Workers {
    pub(crate) fn start(scheduler: Scheduler, count: usize) -> io::Result<Self> {
        match scheduler {
            Scheduler::PerCore => per_core(count),
            Scheduler::WorkStealing => Builder::new_multi_thread()
                .worker_threads(count)
                .thread_name("wfh-worker")
                .enable_all()
                .build()
                .map(Self::WorkStealing),
        }
    }

    pub(crate) fn handles(&self) -> Vec<Handle> {
        match self {
            Self::PerCore { handles, .. } => handles.clone(),
            Self::WorkStealing(runtime) => vec![runtime.handle().clone()],
        }
    }

    /// Stops the threads. What still runs on them is dropped.
    pub(crate) fn stop(self) {
        match self {
            Self::PerCore { threads, stop, .. } => {
                stop.cancel();
                for thread in threads {
                    // A worker that panicked has nothing more to say.
                    let _ = thread.join();
                }
            }
            Self::WorkStealing(runtime) => runtime.shutdown_background(),
        }
    }
}

fn per_core(count: usize) -> io::Result<Workers> {
    let stop = CancellationToken::new();
    let (mut handles, mut threads) = (Vec::new(), Vec::new());
    for index in 0..count {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        handles.push(runtime.handle().clone());
        let stop = stop.clone();
        let thread = std::thread::Builder::new().name(format!("wfh-worker-{index}"));
        threads.push(thread.spawn(move || {
            runtime.block_on(stop.cancelled());
            runtime.shutdown_background();
        })?);
    }
    Ok(Workers::PerCore { handles, threads, stop })
}
