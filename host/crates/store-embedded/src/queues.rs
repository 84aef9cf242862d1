//! The counts of each queue, as the writer keeps them between the rows it writes.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};
use wfh_store::QueueKey;

/// More queues than this are looked up again instead of being remembered.
const REMEMBERED_MAX: usize = 10_000;

/// One queue's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) id: i64,
    pub(crate) entries: i64,
    pub(crate) bytes: i64,
}

/// Rows in memory. Changes are undone with the savepoint or transaction they belong to, and written
/// once per batch.
#[derive(Default)]
pub(crate) struct Queues {
    known: HashMap<QueueKey, Counts>,
    undo: Vec<(QueueKey, Option<Counts>)>,
}

impl Queues {
    /// A queue that has been there.
    pub(crate) fn find(
        &mut self,
        connection: &Connection,
        queue: &QueueKey,
    ) -> rusqlite::Result<Option<Counts>> {
        if let Some(counts) = self.known.get(queue) {
            return Ok(Some(*counts));
        }
        let sql = "SELECT id, entries, bytes FROM queues WHERE name = ?1";
        let mut select = connection.prepare_cached(sql)?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Counts { id: row.get(0)?, entries: row.get(1)?, bytes: row.get(2)? })
        };
        let found = select.query_row([queue.as_str()], read).optional()?;
        if let Some(counts) = found {
            self.known.insert(queue.clone(), counts);
        }
        Ok(found)
    }

    /// A queue, made if it is not there.
    pub(crate) fn ensure(
        &mut self,
        connection: &Connection,
        queue: &QueueKey,
    ) -> rusqlite::Result<Counts> {
        if let Some(counts) = self.find(connection, queue)? {
            return Ok(counts);
        }
        let sql = "INSERT INTO queues (name, entries, bytes) VALUES (?1, 0, 0)";
        connection.prepare_cached(sql)?.execute([queue.as_str()])?;
        let counts = Counts { id: connection.last_insert_rowid(), entries: 0, bytes: 0 };
        self.undo.push((queue.clone(), None));
        self.known.insert(queue.clone(), counts);
        Ok(counts)
    }

    /// Counts entries and bytes that came or went.
    pub(crate) fn change(&mut self, queue: &QueueKey, entries: i64, bytes: i64) {
        if let Some(counts) = self.known.get_mut(queue) {
            self.undo.push((queue.clone(), Some(*counts)));
            counts.entries += entries;
            counts.bytes += bytes;
        }
    }

    /// Where [`Queues::undo_to`] goes back to.
    pub(crate) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Undoes what came after `mark`.
    pub(crate) fn undo_to(&mut self, mark: usize) {
        for (queue, counts) in self.undo.drain(mark.min(self.undo.len())..).rev() {
            match counts {
                Some(counts) => self.known.insert(queue, counts),
                None => self.known.remove(&queue),
            };
        }
    }

    /// Writes what changed, before the transaction's end.
    pub(crate) fn flush(&self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "UPDATE queues SET entries = ?2, bytes = ?3 WHERE id = ?1";
        let mut changed: Vec<&QueueKey> = self.undo.iter().map(|(queue, _)| queue).collect();
        changed.sort_unstable();
        changed.dedup();
        for counts in changed.into_iter().filter_map(|queue| self.known.get(queue)) {
            let mut update = connection.prepare_cached(sql)?;
            update.execute(params![counts.id, counts.entries, counts.bytes])?;
        }
        Ok(())
    }

    /// The transaction is over.
    pub(crate) fn settled(&mut self) {
        self.undo.clear();
        if self.known.len() > REMEMBERED_MAX {
            self.known.clear();
        }
    }
}
