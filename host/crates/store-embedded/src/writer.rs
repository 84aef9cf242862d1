//! The one thread that writes. All requests that wait, and those that come meanwhile, go into one
//! transaction, so that they share one flush of the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::OwnedSemaphorePermit;
use wfh_store::{Key, QueueKey, crash};

use crate::Shared;
use crate::arriving::Arriving;
use crate::batch::Batch;
use crate::error::unavailable;
use crate::files::Hash;
use crate::queues::Queues;
use crate::request::Answer;

/// The most requests of one transaction.
const REQUESTS_MAX: usize = 1_024;

/// The longest that a transaction waits for more.
const GATHER_MAX: Duration = Duration::from_micros(250);

/// How often what is over is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The thread's state.
pub(crate) struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    queues: Queues,
    last: i64,
    durable: Option<bool>,
    sweep_at: Instant,
    /// How many requests the last transaction had, and how long it took.
    last_batch: (usize, Duration),
}

/// What a transaction took: what is told to those who asked, and their shares of the memory.
#[derive(Default)]
struct Served {
    answers: Vec<Answer>,
    shares: Vec<OwnedSemaphorePermit>,
}

/// What is done once a transaction is through.
struct After {
    written: Vec<Key>,
    woken: Vec<QueueKey>,
    unreferenced: Vec<Hash>,
    /// Whether a sweep left something.
    more: bool,
}

impl Writer {
    pub(crate) fn new(connection: Connection, shared: Arc<Shared>, last: i64) -> Self {
        let (queues, sweep_at) = (Queues::default(), Instant::now());
        let last_batch = (0, Duration::ZERO);
        Self { connection, shared, queues, last, durable: None, sweep_at, last_batch }
    }

    /// Serves until nobody can send any more.
    pub(crate) fn run(mut self, mut arriving: Arriving) {
        loop {
            let wait = self.sweep_at.saturating_duration_since(Instant::now());
            if !arriving.wait(wait) {
                break;
            }
            let begun = Instant::now();
            let size = self.serve(&mut arriving);
            self.last_batch = (size, begun.elapsed());
        }
        // What is in the log is safe there too; this only makes the next open faster.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// One transaction. Gives how many requests it had.
    fn serve(&mut self, arriving: &mut Arriving) -> usize {
        let sweep = self.sweep_at <= Instant::now();
        if arriving.is_empty() && !sweep {
            return 0;
        }
        let mut served = Served::default();
        match self.transact(arriving, &mut served, sweep) {
            Ok(after) => {
                self.conclude(&after, sweep);
                let size = served.answers.len();
                served.answers.into_iter().for_each(Answer::send);
                after.woken.iter().for_each(|queue| self.shared.wakes.wake(queue));
                size
            }
            Err(error) => {
                self.give_up();
                let told = unavailable(&error);
                tracing::error!(error = %told, "the store could not write");
                served.answers.into_iter().for_each(|answer| answer.fail(&told));
                0
            }
        }
    }

    /// Takes what waits, and what comes while it works. Those who were answered a moment ago are
    /// about to ask again: a transaction with less than the last one had waits a part of what that
    /// took, so that callers do not split into two halves, each of which pays for a flush.
    fn transact(
        &mut self,
        arriving: &mut Arriving,
        served: &mut Served,
        sweep: bool,
    ) -> rusqlite::Result<After> {
        let (expected, took) = self.last_batch;
        let begun = Instant::now();
        let durable = arriving.is_durable();
        let mut result = self.begin(durable);
        let mut batch = Batch {
            connection: &self.connection,
            shared: &self.shared,
            queues: &mut self.queues,
            last: &mut self.last,
            now: self.shared.time.now(),
            written: Vec::new(),
            woken: Vec::new(),
            dropped_files: false,
        };
        while served.answers.len() < REQUESTS_MAX {
            let waits = result.is_ok() && served.answers.len() < expected;
            let longest = if waits { (took / 4).min(GATHER_MAX) } else { Duration::ZERO };
            let Some(message) = arriving.next(durable, begun + longest) else { break };
            served.answers.push(message.request.process(&mut batch, &mut result));
            served.shares.push(message.share);
        }
        result?;
        let more = sweep && batch.sweep()?;
        let unreferenced = batch.finish(!served.answers.is_empty())?;
        let Batch { written, woken, .. } = batch;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        crash::pass("writer-committed");
        self.queues.settled();
        Ok(After { written, woken, unreferenced, more })
    }

    /// Claims alone need no flush: they are void after a power cut, and survive a kill without.
    fn begin(&mut self, durable: bool) -> rusqlite::Result<()> {
        if self.durable != Some(durable) {
            let level = if durable { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.durable = Some(durable);
        }
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(|_| ())
    }

    fn conclude(&mut self, after: &After, swept: bool) {
        self.shared.leases.end(&after.written);
        after.unreferenced.iter().for_each(|hash| self.shared.files.remove(hash));
        if swept {
            // As long as there is more, each batch takes some of it along.
            let pause = if after.more { Duration::ZERO } else { SWEEP_EVERY };
            self.sweep_at = Instant::now() + pause;
            self.shared.leases.expire(self.shared.time.now());
            self.sweep_files();
        }
    }

    /// Removes files whose commit did not come to pass.
    fn sweep_files(&self) {
        for hash in self.shared.files.take_unsure() {
            let sql = "SELECT 1 FROM files WHERE hash = ?1";
            let referred =
                self.connection.prepare_cached(sql).and_then(|mut select| select.exists([hash]));
            if matches!(referred, Ok(false)) {
                self.shared.files.remove(&hash);
            }
        }
    }

    /// Nothing of the transaction happened.
    fn give_up(&mut self) {
        if !self.connection.is_autocommit() {
            // It can only fail because SQLite rolled back by itself.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        self.queues = Queues::default();
        self.sweep_at = Instant::now() + SWEEP_EVERY;
    }
}
