//! The suite of all backends, on this one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use wfh_store::ManualClock;
use wfh_store::conformance::{Backend, Shared, run};
use wfh_store_redis::{RedisOptions, RedisStore};

use crate::server::Server;

/// One server; each store is an app of its own.
struct Redis {
    server: Server,
    started: AtomicUsize,
    apps: Mutex<HashMap<usize, String>>,
}

impl Redis {
    async fn start(&self, app: String, clock: Arc<ManualClock>) -> Shared {
        let options = RedisOptions { clock: Some(clock), ..self.server.options(&app) };
        let store: Shared = RedisStore::open(options).await.unwrap();
        self.apps.lock().unwrap().insert(address(&store), app);
        store
    }
}

fn address(store: &Shared) -> usize {
    Arc::as_ptr(store).cast::<()>() as usize
}

impl Backend for Redis {
    fn open(&self, clock: Arc<ManualClock>) -> BoxFuture<'_, Shared> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        Box::pin(self.start(format!("app-{number}"), clock))
    }

    fn reopen(&self, store: Shared, clock: Arc<ManualClock>) -> BoxFuture<'_, Option<Shared>> {
        Box::pin(async move {
            let app = self.apps.lock().unwrap().remove(&address(&store)).unwrap();
            drop(store);
            Some(self.start(app, clock).await)
        })
    }

    /// A host that is killed leaves nothing to flush; a server that is killed has its own tests.
    fn kill(&self, store: Shared, clock: Arc<ManualClock>) -> BoxFuture<'_, Option<Shared>> {
        self.reopen(store, clock)
    }

    fn opens_without_leases(&self) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_redis_store_keeps_every_contract() {
    let server = Server::start();
    let backend =
        Redis { server, started: AtomicUsize::default(), apps: Mutex::new(HashMap::new()) };
    if let Err(broken) = run(&backend).await {
        panic!("{broken}");
    }
}
