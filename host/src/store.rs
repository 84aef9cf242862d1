//! Opens the store that a manifest asks for, and what stands on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::task::TaskTracker;
use wfh_engine::Capabilities;
use wfh_invoke::{DirectPublisher, Durability, KvState, Targets};
use wfh_manifest::{Durability as Asked, Manifest, StoreKind};
use wfh_store::memory::MemoryStore;
use wfh_store::{Store, SystemClock};
use wfh_store_embedded::{EmbeddedStore, OpenOptions};
use wfh_store_redis::{RedisOptions, RedisStore};

use crate::error::Error;
use crate::measured::Measured;

/// Where the embedded store is.
pub(crate) fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join("store")
}

/// Opens the embedded store. Another process that has it is an error.
pub(crate) fn embedded(data_dir: &Path) -> Result<Arc<EmbeddedStore>, Error> {
    let (directory, clock) = (directory(data_dir), Arc::new(SystemClock));
    Ok(EmbeddedStore::open(OpenOptions { directory, clock })?)
}

/// Opens the store on a server. One that may lose what it is given is an error.
async fn redis(manifest: &Manifest) -> Result<Arc<RedisStore>, Error> {
    let store = &manifest.store;
    let options = RedisOptions {
        url: store.url.as_ref().unwrap_or(&manifest.redis.url).clone(),
        app: manifest.app.name.to_string(),
        wait_replicas: store.wait_replicas,
        relaxed: store.durability == Asked::Relaxed,
        clock: None,
    };
    Ok(RedisStore::open(options).await?)
}

/// Opens the store of a manifest. Another host that has the data directory is an error.
pub(crate) async fn backend(manifest: &Manifest, data_dir: &Path) -> Result<Arc<dyn Store>, Error> {
    Ok(match manifest.store.kind {
        StoreKind::Embedded => embedded(data_dir)?,
        StoreKind::Redis => redis(manifest).await?,
    })
}

/// Opens the store of a manifest, and what stands on it.
pub(crate) async fn open(manifest: &Manifest, data_dir: &Path) -> Result<Durability, Error> {
    Ok(on(Arc::new(Measured(backend(manifest, data_dir).await?)), manifest))
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
        schedules: Arc::default(),
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
