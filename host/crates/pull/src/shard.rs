//! A source's records, or those of one of its partitions, on their way to the target.

use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, PollSemaphore};
use wfh_invoke::{Dispatcher, settled_key};
use wfh_store::{Store, StoreError};
use wfh_telemetry::meters;

use crate::call::{Call, Then};
use crate::lanes::Lanes;
use crate::{BatchLimits, Marks, Passage, Pause, PullConfig, Raw, Record, Settle, Settled};

/// What the shards of one trigger share.
pub struct Puller {
    /// What the trigger is told.
    pub config: PullConfig,
    /// Where marks are kept.
    pub store: Arc<dyn Store>,
    /// Finds the target.
    pub dispatcher: Dispatcher,
    pub(crate) pause: Pause,
    permits: Arc<Semaphore>,
    workers: Vec<Handle>,
    next_worker: AtomicUsize,
}

impl Puller {
    /// Calls what `dispatcher` finds, on `workers` in turn.
    #[must_use]
    pub fn new(
        config: PullConfig,
        store: Arc<dyn Store>,
        dispatcher: Dispatcher,
        workers: Vec<Handle>,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(config.calls_max.max(1)));
        let (pause, next_worker) = (Pause::default(), AtomicUsize::new(0));
        Self { config, store, dispatcher, pause, permits, workers, next_worker }
    }

    /// Whether the store says that a record is settled.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn is_settled(&self, source: &str, position: u128) -> Result<bool, StoreError> {
        match settled_key(source, position) {
            Some(key) => Ok(self.store.get(key).await?.is_some()),
            None => Ok(false),
        }
    }

    fn worker(&self) -> Option<&Handle> {
        let turn = self.next_worker.fetch_add(1, Ordering::Relaxed);
        self.workers.get(turn.checked_rem(self.workers.len())?)
    }
}

/// How a shard is told to end.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// No further batch begins; what runs ends.
    pub drain: CancellationToken,
    /// What runs is cut off, and nothing of it is settled.
    pub cancel: CancellationToken,
}

/// Records in order, in; which of them are settled, out.
pub struct Shard<R> {
    puller: Arc<Puller>,
    source: Arc<str>,
    marks: Marks,
    settle: Arc<dyn Settle>,
    /// Up to here, records run alone and their tries count when they begin.
    guarded_below: u128,
    /// Whether the call under way is one of those.
    alone: bool,
    lanes: Lanes<R>,
    calls: JoinSet<Vec<(Record<R>, Then)>>,
}

/// Woken by one of these.
enum Woken<R> {
    Cancelled,
    Draining,
    Records(Option<Vec<Record<R>>>),
    Ended(Vec<(Record<R>, Then)>),
    Permit(Option<OwnedSemaphorePermit>),
    Time,
}

impl<R: Raw> Shard<R> {
    /// A shard called `source`, of which the store knows `marks`. Records below `guarded_below` may
    /// crash the host.
    #[must_use]
    pub fn new(
        puller: Arc<Puller>,
        source: Arc<str>,
        marks: Marks,
        guarded_below: u128,
        settle: Arc<dyn Settle>,
    ) -> Self {
        let (lanes, calls) = (Lanes::default(), JoinSet::new());
        Self { puller, source, marks, settle, guarded_below, alone: false, lanes, calls }
    }

    /// Takes `records` to the target until they end or `stop` says so, and gives the marks back.
    /// Whoever sends them bounds how many are not settled.
    pub async fn run(mut self, mut records: mpsc::Receiver<Vec<Record<R>>>, stop: Stop) -> Marks {
        let mut waiting: Option<PollSemaphore> = None;
        let (mut is_open, mut draining) = (true, false);
        loop {
            let now = Instant::now();
            self.lanes.wake(now);
            let limits = self.limits();
            let paused = self.puller.pause.until();
            let wants = !draining
                && paused.is_none()
                && self.may_begin()
                && self.lanes.is_due(&limits, now);
            // A place in the queue for permits that nobody looks at would keep others waiting.
            match (wants, &waiting) {
                (true, None) => {
                    waiting = Some(PollSemaphore::new(Arc::clone(&self.puller.permits)))
                }
                (false, Some(_)) => waiting = None,
                _ => {}
            }
            let ends = draining || !is_open;
            if ends && self.calls.is_empty() && (draining || self.lanes.is_empty()) {
                return self.marks;
            }
            let due = match paused {
                // Nothing begins until a call has ended, or any more.
                _ if draining || !self.may_begin() => None,
                Some(until) => Some(until),
                None if wants => None,
                None => self.lanes.next_due(&limits),
            };
            let woken = tokio::select! {
                biased;
                () = stop.cancel.cancelled() => Woken::Cancelled,
                () = stop.drain.cancelled(), if !draining => Woken::Draining,
                Some(ended) = self.calls.join_next(), if !self.calls.is_empty() => {
                    Woken::Ended(ended.unwrap_or_default())
                }
                permit = acquire(&mut waiting), if wants => Woken::Permit(permit),
                more = records.recv(), if is_open && !draining => Woken::Records(more),
                () = sleep_until(due.unwrap_or(now)), if due.is_some() => Woken::Time,
            };
            match woken {
                Woken::Cancelled => {
                    self.calls.shutdown().await;
                    return self.marks;
                }
                Woken::Draining => draining = true,
                Woken::Ended(ended) => self.ended(ended),
                Woken::Permit(permit) => self.begin(permit, &limits),
                Woken::Records(Some(more)) => self.add(more),
                Woken::Records(None) => is_open = false,
                Woken::Time => {}
            }
        }
    }

    /// Records that may crash the host run alone.
    fn is_guarded(&self) -> bool {
        self.lanes
            .first()
            .is_some_and(|next| next.position < self.guarded_below || next.is_suspect())
    }

    fn may_begin(&self) -> bool {
        self.calls.is_empty() || !(self.is_guarded() || self.alone)
    }

    fn limits(&self) -> BatchLimits {
        match self.is_guarded() {
            true => BatchLimits { size: 1, ..self.puller.config.batch },
            false => self.puller.config.batch,
        }
    }

    /// What was settled before, and what the filter keeps back, is settled at once.
    fn add(&mut self, records: Vec<Record<R>>) {
        let now = Instant::now();
        let mut settled = Vec::new();
        for mut record in records {
            let position = record.position;
            if self.marks.is_settled(position) {
                settled.push(Settled { position, marked: true });
            } else if self.is_filtered(&record) {
                settled.push(Settled { position, marked: false });
            } else {
                if let Some(progress) = self.marks.progress(position) {
                    record.progress = progress;
                }
                self.lanes.push(record, now);
            }
        }
        if !settled.is_empty() {
            self.settle.settled(&settled);
        }
    }

    fn is_filtered(&self, record: &Record<R>) -> bool {
        let filter = &self.puller.config.filter;
        if filter.is_empty() {
            return false;
        }
        let reason = match filter.check(&record.raw.item().0) {
            Passage::Passes => return false,
            Passage::Filtered => "no-match",
            Passage::NotJson => "not-json",
        };
        meters().filtered(&self.puller.config.name, reason);
        true
    }

    fn begin(&mut self, permit: Option<OwnedSemaphorePermit>, limits: &BatchLimits) {
        let guarded = self.is_guarded();
        self.alone = guarded;
        let records = self.lanes.take(limits, Instant::now());
        let (puller, source) = (Arc::clone(&self.puller), Arc::clone(&self.source));
        let call = Call { puller, source, records, guarded };
        let run = async move {
            let ended = call.run().await;
            drop(permit);
            ended
        };
        match self.puller.worker() {
            Some(worker) => self.calls.spawn_on(run, worker),
            None => self.calls.spawn(run),
        };
    }

    fn ended(&mut self, ended: Vec<(Record<R>, Then)>) {
        let now = Instant::now();
        let lanes: HashSet<Option<u64>> = ended.iter().map(|(record, _)| record.lane).collect();
        let (mut settled, mut again) = (Vec::with_capacity(ended.len()), Vec::new());
        for (record, then) in ended {
            match then {
                Then::Settled(one) => settled.push(one),
                Then::Again(wait) => again.push((record, now + wait)),
            }
        }
        self.lanes.ended(lanes, again, now);
        if !settled.is_empty() {
            self.settle.settled(&settled);
        }
    }
}

async fn acquire(waiting: &mut Option<PollSemaphore>) -> Option<OwnedSemaphorePermit> {
    match waiting {
        Some(semaphore) => poll_fn(|cx| semaphore.poll_acquire(cx)).await,
        None => None,
    }
}
