//! The suite of all backends, on this one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use tempfile::TempDir;
use wfh_store::ManualClock;
use wfh_store::conformance::{Backend, Shared, run};

use crate::{EmbeddedStore, OpenOptions};

/// Stores by their address, each in a directory of its own.
#[derive(Default)]
struct Embedded(Mutex<HashMap<usize, TempDir>>);

impl Embedded {
    fn start(&self, directory: TempDir, clock: Arc<ManualClock>) -> Shared {
        let store = open(directory.path(), clock);
        self.0.lock().unwrap().insert(address(&store), directory);
        store
    }

    fn directory(&self, store: &Shared) -> TempDir {
        self.0.lock().unwrap().remove(&address(store)).unwrap()
    }
}

fn address(store: &Shared) -> usize {
    Arc::as_ptr(store).cast::<()>() as usize
}

fn open(directory: &Path, clock: Arc<ManualClock>) -> Shared {
    EmbeddedStore::open(OpenOptions { directory: directory.to_owned(), clock }).unwrap()
}

/// What a kill leaves is what the files hold now: everything written is in the system's cache.
fn image(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            std::fs::create_dir(&target).unwrap();
            image(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

impl Backend for Embedded {
    fn open(&self, clock: Arc<ManualClock>) -> BoxFuture<'_, Shared> {
        Box::pin(async move { self.start(TempDir::new().unwrap(), clock) })
    }

    fn reopen(&self, store: Shared, clock: Arc<ManualClock>) -> BoxFuture<'_, Option<Shared>> {
        Box::pin(async move {
            let directory = self.directory(&store);
            drop(store);
            Some(self.start(directory, clock))
        })
    }

    fn kill(&self, store: Shared, clock: Arc<ManualClock>) -> BoxFuture<'_, Option<Shared>> {
        Box::pin(async move {
            let (directory, left) = (self.directory(&store), TempDir::new().unwrap());
            image(directory.path(), left.path());
            drop(store);
            Some(self.start(left, clock))
        })
    }

    fn opens_without_leases(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_embedded_store_keeps_every_contract() {
    if let Err(broken) = run(&Embedded::default()).await {
        panic!("{broken}");
    }
}
