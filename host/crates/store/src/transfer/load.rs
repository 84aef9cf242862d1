//! Writes records into a store, several a commit.

use std::time::Duration;

use crate::{Append, Expect, Key, NameTooLong, Op, QueueKey, Store};

use super::record::{EntryRecord, Record, ValueRecord};
use super::{Moved, TransferError};

/// A commit is made when one of both is reached.
const OPS_PER_COMMIT: usize = 500;
const BYTES_PER_COMMIT: usize = 4 << 20;

/// Collects and commits.
pub(super) struct Loader<'a> {
    store: &'a dyn Store,
    now_ms: u64,
    ops: Vec<Op>,
    bytes: usize,
    moved: Moved,
}

impl<'a> Loader<'a> {
    /// Refuses a store that holds something.
    pub(super) async fn new(store: &'a dyn Store, now_ms: u64) -> Result<Self, TransferError> {
        if let Some((key, _)) = store.list("", None, 1).await?.first() {
            return Err(TransferError::NotEmpty(format!("it has the key `{key}`")));
        }
        if let Some(queue) = store.queues().await?.first() {
            return Err(TransferError::NotEmpty(format!("its queue `{queue}` has entries")));
        }
        Ok(Self { store, now_ms, ops: Vec::new(), bytes: 0, moved: Moved::default() })
    }

    /// Takes a record, which came on that line.
    pub(super) async fn push(&mut self, record: Record, line: u64) -> Result<(), TransferError> {
        let invalid = |error: NameTooLong| TransferError::Line { line, reason: error.to_string() };
        let over = |record: &ValueRecord| record.expires_at_ms.is_some_and(|at| at <= self.now_ms);
        match record {
            Record::Value(record) if over(&record) => self.moved.expired += 1,
            Record::Value(record) => {
                self.bytes += record.bytes.len();
                self.moved.values += 1;
                self.ops.push(self.put(record).map_err(invalid)?);
            }
            Record::Entry(record) => {
                self.bytes += record.body.len() + record.state.len();
                self.moved.entries += 1;
                self.ops.push(self.append(record).map_err(invalid)?);
            }
        }
        if self.ops.len() >= OPS_PER_COMMIT || self.bytes >= BYTES_PER_COMMIT {
            self.commit().await?;
        }
        Ok(())
    }

    fn put(&self, record: ValueRecord) -> Result<Op, NameTooLong> {
        let ends = record.expires_at_ms;
        let ttl = ends.map(|at| Duration::from_millis(at.saturating_sub(self.now_ms)));
        let key = Key::new(&record.key)?;
        Ok(Op::Put { key, bytes: record.bytes, expect: Expect::Absent, ttl })
    }

    fn append(&self, record: EntryRecord) -> Result<Op, NameTooLong> {
        let queue = QueueKey::new(&record.queue)?;
        Ok(Op::Append(Append {
            state: record.state,
            group: record.group,
            delay: Duration::from_millis(record.due_at_ms.saturating_sub(self.now_ms)),
            ..Append::new(queue, record.id, record.body)
        }))
    }

    async fn commit(&mut self) -> Result<(), TransferError> {
        self.bytes = 0;
        self.store.commit(std::mem::take(&mut self.ops)).await?;
        Ok(())
    }

    /// Commits what is left.
    pub(super) async fn finish(mut self) -> Result<Moved, TransferError> {
        self.commit().await?;
        Ok(self.moved)
    }
}
