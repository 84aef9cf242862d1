//! Durable state on a Redis server that hosts share: the ports of `wfh-store` on Lua scripts.
//!
//! Layer L2. This crate must not know a function, an event or another backend. Its main type is
//! [`RedisStore`]. A commit, a claim or a lease is one script, so it happens whole; all keys of an
//! app share a hash tag, so that a cluster keeps them in one slot. Time is the server's.

mod answer;
mod call;
mod commit;
mod error;
mod inspect;
mod link;
mod ports;
mod script;
mod wake;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinHandle;
use wfh_store::{Clock, Now, StoreError};

pub use error::OpenError;

use answer::Answer;
use call::Call;
use link::{Link, Target};
use wake::Wakes;

/// Where and how to open.
pub struct RedisOptions {
    /// `redis://` or `rediss://`, with user, password and database where they are needed.
    pub url: String,
    /// Whose keys they are: several apps may share a server.
    pub app: String,
    /// How many replicas must have a write before it counts as done. 0: the server alone.
    pub wait_replicas: u32,
    /// Takes a server without an append-only file, or one that evicts.
    pub relaxed: bool,
    /// Tells the time instead of the server; hosts that share a store must share it. For tests.
    pub clock: Option<Arc<dyn Clock>>,
}

/// The store.
///
/// Numbers of entries and versions are not consecutive. After [`StoreError::Unavailable`] a commit
/// may have been applied: its answer, or that of a replica, did not come.
pub struct RedisStore {
    shared: Arc<Shared>,
    watcher: JoinHandle<()>,
}

/// What the store and its watcher share.
pub(crate) struct Shared {
    keys: Keys,
    clock: Option<Arc<dyn Clock>>,
    wait_replicas: u32,
    /// The latest time that any answer told: time never goes back for who asks here.
    seen_ms: AtomicU64,
    /// Reads do not queue behind writes that wait for replicas.
    reads: Link,
    writes: Link,
    wakes: Wakes,
}

/// The names that an app's keys begin with.
pub(crate) struct Keys {
    time: String,
    wake: String,
}

impl Keys {
    fn new(app: &str) -> Result<Self, OpenError> {
        if app.is_empty() || app.contains(['{', '}']) {
            return Err(OpenError::App { app: app.to_owned() });
        }
        Ok(Self { time: format!("{{wfh:{app}}}:time"), wake: format!("{{wfh:{app}}}:wake") })
    }
}

impl RedisStore {
    /// Connects and looks whether the server keeps what it is given.
    ///
    /// Connections live on the runtime that this is called on.
    ///
    /// # Errors
    /// The server cannot be reached, is too old or a replica, or may lose what it was given.
    pub async fn open(options: RedisOptions) -> Result<Arc<Self>, OpenError> {
        let keys = Keys::new(&options.app)?;
        let target = Arc::new(Target::new(&options.url, options.relaxed)?);
        let shared = Arc::new(Shared {
            keys,
            clock: options.clock,
            wait_replicas: options.wait_replicas,
            seen_ms: AtomicU64::new(0),
            reads: Link::open(Arc::clone(&target)).await?,
            writes: Link::open(Arc::clone(&target)).await?,
            wakes: Wakes::default(),
        });
        shared.ready(&target).await?;
        let watcher = tokio::spawn(wake::watch(Arc::clone(&shared), target));
        Ok(Arc::new(Self { shared, watcher }))
    }
}

impl Shared {
    /// Whether scripts run, and understand what is there.
    async fn ready(&self, target: &Target) -> Result<(), OpenError> {
        let answer = self.read(Call::read(self, "ready")).await;
        let server = target.info.addr().to_string();
        match answer.and_then(Answer::number::<u64>) {
            Ok(_) => Ok(()),
            Err(StoreError::Invalid(reason)) => Err(OpenError::Newer { server, reason }),
            Err(error) => Err(OpenError::Server { server, reason: error.to_string() }),
        }
    }

    /// Runs a read.
    pub(crate) async fn read(&self, call: Call) -> Result<Answer, StoreError> {
        self.note(self.reads.run(&call, 0).await?)
    }

    /// Runs a write, and waits for replicas where that is asked.
    pub(crate) async fn write(&self, call: Call) -> Result<Answer, StoreError> {
        self.note(self.writes.run(&call, self.wait_replicas).await?)
    }

    /// Removes what is over, and lets time go on after the clock was set back.
    pub(crate) async fn tick(&self) -> Result<(), StoreError> {
        let call = Call::drain(self, "tick");
        self.note(self.writes.run(&call, 0).await?).map(drop)
    }

    fn note(&self, answer: redis::Value) -> Result<Answer, StoreError> {
        let answer = Answer::read(answer)?;
        self.seen_ms.fetch_max(answer.now.steady_ms, Ordering::Relaxed);
        Ok(answer)
    }

    /// What a script is told of the time.
    pub(crate) fn time(&self) -> (Option<u64>, u64) {
        let wall_ms = self.clock.as_ref().map(|clock| clock.now_ms());
        (wall_ms, self.seen_ms.load(Ordering::Relaxed))
    }
}

/// A time in the store, by the wall clock; 0 stands for never.
pub(crate) fn wall_of(now: Now, steady_ms: u64) -> Option<u64> {
    (steady_ms > 0).then(|| now.wall_of(steady_ms))
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        // It only listens; nothing that was asked for is lost.
        self.watcher.abort();
    }
}
