//! The tests that every backend passes: one case a contract, against a [`Backend`].
//!
//! A backend's own test calls [`run`]; what it answers names each MUST that was broken.

mod commit;
mod entries;
mod groups;
mod kv;
mod model;
mod races;
mod restart;
mod time;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{
    Append, Claim, Claimed, Effect, Expect, Key, ManualClock, Op, QueueKey, Store, StoreError,
};

/// A store that is shared by a case's tasks.
pub type Shared = Arc<dyn Store>;

/// How a backend is made for a case.
pub trait Backend: Send + Sync {
    /// An empty store of its own, whose time is `clock`.
    fn open(&self, clock: Arc<ManualClock>) -> BoxFuture<'_, Shared>;

    /// Closes a store that nobody else holds and opens what it wrote. `None`: it keeps nothing.
    fn reopen(&self, store: Shared, clock: Arc<ManualClock>) -> BoxFuture<'_, Option<Shared>>;

    /// Opens what a process that is killed at this instant would leave. `None`: it keeps nothing.
    fn kill(&self, store: Shared, clock: Arc<ManualClock>) -> BoxFuture<'_, Option<Shared>>;

    /// Whether leases of keys and claims are void when it is opened again.
    fn opens_without_leases(&self) -> bool;
}

/// What a case works with.
pub struct Bench<'a> {
    backend: &'a dyn Backend,
    clock: Arc<ManualClock>,
    store: Shared,
}

/// A contract that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    must: &'static str,
    seen: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; but {}", self.must, self.seen)
    }
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self { must: "the operation MUST succeed", seen: error.to_string() }
    }
}

type Outcome<'a> = BoxFuture<'a, Result<(), Broken>>;

/// One case: its name and what it does.
type Case = (&'static str, for<'a> fn(&'a Bench<'a>) -> Outcome<'a>);

/// Lists a module's cases.
macro_rules! cases {
    ($($name:ident),+ $(,)?) => {
        /// The cases of this module.
        pub(super) const CASES: &[super::Case] =
            &[$((stringify!($name), |bench| Box::pin($name(bench)))),+];
    };
}
use cases;

/// Ends a case whose contract does not hold.
macro_rules! must {
    ($holds:expr, $must:literal, $($seen:tt)+) => {
        if !$holds {
            return Err($crate::conformance::Broken { must: $must, seen: format!($($seen)+) });
        }
    };
}
use must;

/// A case waits at most so long for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// When every case begins, in milliseconds since 1970.
const START_MS: u64 = 1_800_000_000_000;

/// Runs every case, each on a store of its own.
///
/// # Errors
/// One line for each case that found a broken contract.
pub async fn run(backend: &dyn Backend) -> Result<(), String> {
    let all = [
        kv::CASES,
        commit::CASES,
        races::CASES,
        entries::CASES,
        groups::CASES,
        time::CASES,
        model::CASES,
        restart::CASES,
    ];
    let mut broken = Vec::new();
    for (name, case) in all.into_iter().flatten() {
        let clock = Arc::new(ManualClock::new(START_MS));
        let store = backend.open(Arc::clone(&clock)).await;
        let bench = Bench { backend, clock, store };
        let done = tokio::time::timeout(PATIENCE * 6, case(&bench)).await;
        match done {
            Ok(Ok(())) => {}
            Ok(Err(what)) => broken.push(format!("{name}: {what}")),
            Err(_) => broken.push(format!("{name}: it MUST end, but it hangs")),
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
}

fn key(text: &str) -> Result<Key, Broken> {
    Key::new(text).map_err(|error| Broken { must: "a name is valid", seen: error.to_string() })
}

fn queue(text: &str) -> Result<QueueKey, Broken> {
    QueueKey::new(text).map_err(|error| Broken { must: "a name is valid", seen: error.to_string() })
}

fn put(key: &Key, bytes: impl Into<Bytes>, expect: Expect) -> Op {
    Op::Put { key: key.clone(), bytes: bytes.into(), expect, ttl: None }
}

fn append(queue: &QueueKey, id: &str) -> Append {
    Append::new(queue.clone(), id, id.to_owned())
}

fn claim(entries_max: u32) -> Claim {
    Claim { entries_max, bytes_max: u64::MAX, visibility: Duration::from_secs(30) }
}

fn ids(claimed: &[Claimed]) -> Vec<&str> {
    claimed.iter().map(|claimed| claimed.entry.id.as_str()).collect()
}

fn ack(claimed: &Claimed) -> Vec<Op> {
    vec![Op::Ack(claimed.receipt.clone())]
}

impl Bench<'_> {
    async fn append(&self, queue: &QueueKey, ids: &[&str]) -> Result<Vec<Effect>, Broken> {
        let ops = ids.iter().map(|id| Op::Append(append(queue, id))).collect();
        Ok(self.store.commit(ops).await?)
    }

    async fn claim(&self, queue: &QueueKey, entries_max: u32) -> Result<Vec<Claimed>, Broken> {
        Ok(self.store.claim(queue.clone(), claim(entries_max)).await?)
    }

    async fn claim_one(&self, queue: &QueueKey) -> Result<Claimed, Broken> {
        let claimed = self.claim(queue, 1).await?.pop();
        claimed.ok_or_else(|| Broken {
            must: "what is claimable MUST be claimed",
            seen: format!("a claim of `{queue}` gave nothing"),
        })
    }

    async fn value(&self, key: &Key) -> Result<Option<Bytes>, Broken> {
        Ok(self.store.get(key.clone()).await?.map(|value| value.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;

    struct Memory;

    impl Backend for Memory {
        fn open(&self, clock: Arc<ManualClock>) -> BoxFuture<'_, Shared> {
            Box::pin(async move { Arc::new(MemoryStore::new(clock)) as Shared })
        }

        fn reopen(&self, _: Shared, _: Arc<ManualClock>) -> BoxFuture<'_, Option<Shared>> {
            Box::pin(std::future::ready(None))
        }

        fn kill(&self, _: Shared, _: Arc<ManualClock>) -> BoxFuture<'_, Option<Shared>> {
            Box::pin(std::future::ready(None))
        }

        fn opens_without_leases(&self) -> bool {
            true
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_store_in_memory_keeps_every_contract() {
        if let Err(broken) = run(&Memory).await {
            panic!("{broken}");
        }
    }
}
