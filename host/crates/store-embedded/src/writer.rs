//! The one thread that writes. All requests that wait go into one transaction, so that they share
//! one flush of the disk.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use wfh_store::{Key, QueueKey, crash};

use crate::Shared;
use crate::batch::Batch;
use crate::error::unavailable;
use crate::files::Hash;
use crate::queues::Queues;
use crate::request::{Answer, Message, Request};

/// The most requests of one transaction.
const REQUESTS_MAX: usize = 1_024;

/// The longest that a batch waits for more.
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
    pub(crate) fn run(mut self, requests: &Receiver<Message>) {
        loop {
            let wait = self.sweep_at.saturating_duration_since(Instant::now());
            let mut messages = Vec::new();
            match requests.recv_timeout(wait) {
                Ok(message) => messages.push(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.gather(requests, &mut messages);
            let (begun, size) = (Instant::now(), messages.len());
            self.serve(messages);
            self.last_batch = (size, begun.elapsed());
        }
        // What is in the log is safe there too; this only makes the next open faster.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// Takes what waits. Those who were answered a moment ago are about to ask again: a batch that
    /// is smaller than the last one waits a part of what a transaction takes, so that callers do not
    /// split into two halves, each of which pays for a flush.
    fn gather(&self, requests: &Receiver<Message>, messages: &mut Vec<Message>) {
        messages.extend(requests.try_iter().take(REQUESTS_MAX - 1));
        let (expected, took) = self.last_batch;
        let until = Instant::now() + (took / 4).min(GATHER_MAX);
        while !messages.is_empty() && messages.len() < expected.min(REQUESTS_MAX) {
            let wait = until.saturating_duration_since(Instant::now());
            let Ok(message) = requests.recv_timeout(wait) else { break };
            messages.push(message);
        }
    }

    fn serve(&mut self, messages: Vec<Message>) {
        // Whoever went away before its turn never asked.
        let wanted = messages.into_iter().filter(|message| !message.request.is_abandoned());
        let (requests, shares): (Vec<Request>, Vec<_>) =
            wanted.map(|message| (message.request, message.share)).unzip();
        let sweep = self.sweep_at <= Instant::now();
        if requests.is_empty() && !sweep {
            return;
        }
        let mut answers = Vec::with_capacity(requests.len());
        match self.transact(requests, &mut answers, sweep) {
            Ok(after) => {
                self.conclude(&after, sweep);
                answers.into_iter().for_each(Answer::send);
                after.woken.iter().for_each(|queue| self.shared.wakes.wake(queue));
            }
            Err(error) => {
                self.give_up();
                let told = unavailable(&error);
                tracing::error!(error = %told, "the store could not write");
                answers.into_iter().for_each(|answer| answer.fail(&told));
            }
        }
        drop(shares);
    }

    fn transact(
        &mut self,
        requests: Vec<Request>,
        answers: &mut Vec<Answer>,
        sweep: bool,
    ) -> rusqlite::Result<After> {
        let durable = requests.iter().any(Request::is_durable);
        let idle = requests.is_empty();
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
        for request in requests {
            answers.push(request.process(&mut batch, &mut result));
        }
        result?;
        let more = sweep && batch.sweep()?;
        let unreferenced = batch.finish(!idle)?;
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
