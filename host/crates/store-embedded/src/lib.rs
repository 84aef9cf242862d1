//! Durable state in a directory of this machine: the ports of `wfh-store` on SQLite.
//!
//! Layer L2. This crate must not know a function, an event or another backend. Its main type is
//! [`EmbeddedStore`]. One thread writes; what waits for it goes into one transaction and shares one
//! flush of the disk. Reads go past it.

mod arriving;
mod batch;
mod error;
mod files;
mod leases;
mod open;
mod ports;
mod queues;
mod reader;
mod request;
mod schema;
#[cfg(test)]
mod tests;
mod wake;
mod writer;

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::Semaphore;
use wfh_store::{Clock, Steady};

pub use error::OpenError;

use arriving::Arriving;
use files::Files;
use leases::Leases;
use reader::Readers;
use request::Message;
use wake::Wakes;
use writer::Writer;

/// What all requests that wait may hold in memory, in KiB.
const WAITING_KIB_MAX: u32 = 256 << 10;

/// The most reads of many rows or of files at once.
const SCANS_MAX: usize = 8;

/// Where and how to open.
pub struct OpenOptions {
    /// The directory; it is made. One process at a time may have it.
    pub directory: PathBuf,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// The store.
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    requests: Option<Sender<Message>>,
    room: Arc<Semaphore>,
    scans: Semaphore,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Held until everything else is closed.
    _lock: File,
}

/// What readers and the writer share.
struct Shared {
    time: Steady,
    leases: Leases,
    wakes: Wakes,
    files: Arc<Files>,
    readers: Readers,
}

impl EmbeddedStore {
    /// Opens the directory, or makes it. Blocks while the disk is read.
    ///
    /// # Errors
    /// Another process has it, it cannot be used, or what is in it is damaged, foreign or newer.
    pub fn open(options: OpenOptions) -> Result<Arc<Self>, OpenError> {
        let OpenOptions { directory, clock } = options;
        let lock = open::lock(&directory)?;
        let opened = open::open(&directory, clock)?;
        let shared = Arc::new(Shared {
            leases: Leases::new(opened.opening),
            time: opened.time,
            wakes: Wakes::default(),
            files: Arc::new(opened.files),
            readers: Readers::new(&directory.join("store.db")),
        });
        // Bounded by `room`.
        let (requests, received) = mpsc::channel();
        let writer = Writer::new(opened.connection, Arc::clone(&shared), opened.last);
        let writer = std::thread::Builder::new()
            .name("wfh-store".into())
            .spawn(move || writer.run(Arriving::new(received)))
            .map_err(|source| OpenError::Unusable { path: directory, source })?;
        Ok(Arc::new(Self {
            shared,
            requests: Some(requests),
            room: Arc::new(Semaphore::new(WAITING_KIB_MAX as usize)),
            scans: Semaphore::new(SCANS_MAX),
            writer: Mutex::new(Some(writer)),
            _lock: lock,
        }))
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore").finish_non_exhaustive()
    }
}

/// Waits until what was asked for is written.
impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.requests = None;
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the store's writer ended by a panic");
        }
    }
}
