//! Opens the store that a manifest asks for, and what stands on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::task::TaskTracker;
use wfh_engine::Capabilities;
use wfh_invoke::{DirectPublisher, Durability, KvState, Targets};
use wfh_manifest::{Manifest, StoreKind};
use wfh_store::memory::MemoryStore;
use wfh_store::{Store, SystemClock};
use wfh_store_embedded::{EmbeddedStore, OpenOptions};

use crate::error::Error;

/// Where the embedded store is.
pub(crate) fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join("store")
}

/// Opens the embedded store. Another process that has it is an error.
pub(crate) fn embedded(data_dir: &Path) -> Result<Arc<EmbeddedStore>, Error> {
    let (directory, clock) = (directory(data_dir), Arc::new(SystemClock));
    Ok(EmbeddedStore::open(OpenOptions { directory, clock })?)
}

/// Opens the store. Another host that has the data directory is an error.
pub(crate) fn open(manifest: &Manifest, data_dir: &Path) -> Result<Durability, Error> {
    let store: Arc<dyn Store> = match manifest.store.kind {
        StoreKind::Embedded => embedded(data_dir)?,
        // The manifest's features were checked: this version has no store on Redis.
        StoreKind::Redis => return Err(Error::NotOffered(vec!["a store on Redis".to_owned()])),
    };
    Ok(on(store, manifest))
}

/// A store that ends with this process.
pub(crate) fn in_memory(manifest: &Manifest) -> Durability {
    on(Arc::new(MemoryStore::new(Arc::new(SystemClock))), manifest)
}

fn on(store: Arc<dyn Store>, manifest: &Manifest) -> Durability {
    Durability {
        store,
        clock: Arc::new(SystemClock),
        targets: Arc::new(Targets::default()),
        tasks: TaskTracker::new(),
        running: Arc::default(),
        invocations_ttl: manifest.store.invocations_ttl,
        dead_letters_ttl: manifest.store.dead_letters_ttl,
    }
}

/// Capabilities that nothing calls: whether a component loads does not depend on what they hold.
pub(crate) fn for_check() -> Capabilities {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::new(SystemClock)));
    let targets = Arc::new(Targets::default());
    Capabilities {
        state: Some(Arc::new(KvState::new(Arc::clone(&store)))),
        publisher: Some(Arc::new(DirectPublisher::new(targets, store))),
    }
}

/// What functions are given of it.
pub(crate) fn capabilities(durability: Option<&Durability>) -> Capabilities {
    let Some(Durability { store, targets, .. }) = durability else {
        return Capabilities::default();
    };
    Capabilities {
        state: Some(Arc::new(KvState::new(Arc::clone(store)))),
        publisher: Some(Arc::new(DirectPublisher::new(Arc::clone(targets), Arc::clone(store)))),
    }
}
