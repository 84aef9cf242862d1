//! One transaction: the requests that waited, each of which happens whole or not at all.

mod claim;
mod entry;
mod file;
mod kv;
mod sweep;

use rusqlite::Connection;
use wfh_store::{Effect, Key, Now, Op, QueueKey, StoreError};

use crate::Shared;
use crate::error::Stop;
use crate::files::{Hash, Pinned};
use crate::queues::Queues;

pub(crate) use claim::Taken;

/// An operation whose large bytes are in a file already.
pub(crate) struct Prepared {
    pub(crate) op: Op,
    pub(crate) file: Option<Pinned>,
}

/// What the transaction has to work with, and what is to be done after it.
pub(crate) struct Batch<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) shared: &'a Shared,
    pub(crate) queues: &'a mut Queues,
    /// The last number that was given out.
    pub(crate) last: &'a mut i64,
    pub(crate) now: Now,
    /// Keys whose leases end with the transaction.
    pub(crate) written: Vec<Key>,
    /// Queues in which something may be claimable.
    pub(crate) woken: Vec<QueueKey>,
    /// Whether a file lost a reference.
    pub(crate) dropped_files: bool,
}

/// SQLite's integers have a sign. What is beyond them is "never" or "without bound".
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The way back.
pub(crate) fn uint(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl Batch<'_> {
    fn next(&mut self) -> i64 {
        *self.last += 1;
        *self.last
    }

    fn now_ms(&self) -> i64 {
        int(self.now.steady_ms)
    }

    /// Applies a commit, or leaves everything as it was before.
    pub(crate) fn commit(&mut self, ops: Vec<Prepared>) -> Result<Vec<Effect>, Stop> {
        // One operation looks before it writes; only several need a way back.
        let several = ops.len() > 1;
        let (queues, written) = (self.queues.mark(), self.written.len());
        if several {
            self.connection.prepare_cached("SAVEPOINT request")?.execute([])?;
        }
        let numbered = ops.into_iter().enumerate();
        let applied = numbered.map(|(index, op)| self.apply(index, op)).collect();
        if matches!(applied, Err(Stop::Refused(_))) {
            self.queues.undo_to(queues);
            self.written.truncate(written);
            if several {
                self.connection.prepare_cached("ROLLBACK TO request")?.execute([])?;
            }
        }
        if several && !matches!(applied, Err(Stop::Broken(_))) {
            self.connection.prepare_cached("RELEASE request")?.execute([])?;
        }
        applied
    }

    fn apply(&mut self, index: usize, prepared: Prepared) -> Result<Effect, Stop> {
        let conflict = || Stop::Refused(StoreError::Conflict { op: index });
        let Prepared { op, file } = prepared;
        match op {
            Op::Put { key, bytes, expect, ttl } => {
                let row = self.expected(&key, &expect)?.ok_or_else(conflict)?;
                self.put(key, row, &bytes, file.as_ref(), ttl)
            }
            Op::Delete { key, expect } => {
                let row = self.expected(&key, &expect)?.ok_or_else(conflict)?;
                self.delete(key, row)
            }
            Op::Check { key, expect } => {
                self.expected(&key, &expect)?.ok_or_else(conflict)?;
                Ok(Effect::Done)
            }
            Op::Increment { key, delta } => self.increment(key, delta),
            Op::Append(append) => self.append(append, file.as_ref()),
            Op::Ack(receipt) => {
                let entry = self.held(&receipt)?.ok_or_else(conflict)?;
                self.remove(&receipt.queue, entry)?;
                Ok(Effect::Done)
            }
            Op::Release { receipt, delay, state } => {
                let entry = self.held(&receipt)?.ok_or_else(conflict)?;
                self.release(&receipt, &entry, delay, state.as_deref())
            }
            Op::Remove { queue, seq } => {
                let entry = self.entry(&queue, seq)?;
                let found = entry.is_some();
                if let Some(entry) = entry {
                    self.remove(&queue, entry)?;
                }
                Ok(Effect::Removed(found))
            }
        }
    }

    /// What must be in the transaction besides the requests. Gives the files that nobody refers to
    /// once it is through.
    pub(crate) fn finish(&mut self, used: bool) -> rusqlite::Result<Vec<Hash>> {
        self.queues.flush(self.connection)?;
        if used {
            self.note_moment()?;
        }
        if self.dropped_files { self.unreferenced() } else { Ok(Vec::new()) }
    }

    fn note_moment(&self) -> rusqlite::Result<()> {
        let sql = "UPDATE meta SET last = ?1, wall_ms = ?2, steady_ms = ?3";
        let mut update = self.connection.prepare_cached(sql)?;
        update.execute([*self.last, int(self.now.wall_ms), int(self.now.steady_ms)])?;
        Ok(())
    }
}
