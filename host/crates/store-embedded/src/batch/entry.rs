//! Operations on entries.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use wfh_store::{Append, Effect, QueueKey, Receipt, StoreError};

use crate::error::Stop;
use crate::files::Pinned;
use crate::queues::Counts;

use super::{Batch, int};

/// What of an entry its operations need.
pub(super) struct Place {
    queue: i64,
    seq: i64,
    body_bytes: i64,
    group: Option<String>,
}

impl Batch<'_> {
    pub(super) fn append(&mut self, append: Append, file: Option<&Pinned>) -> Result<Effect, Stop> {
        let counts = self.queues.ensure(self.connection, &append.queue)?;
        if self.is_repeat(&counts, &append)? {
            return Ok(Effect::Duplicate);
        }
        if append.depth_max.is_some_and(|depth_max| counts.entries >= int(depth_max)) {
            return Err(Stop::Refused(StoreError::Full { queue: append.queue.to_string() }));
        }
        self.remember(&counts, &append)?;
        let seq = self.next();
        let due_at_ms = int(self.now.later_ms(append.delay));
        let hidden = append.group.as_deref().map(|group| self.has_group(&counts, group));
        let visible_at_ms = (!hidden.transpose()?.unwrap_or(false)).then_some(due_at_ms);
        let body_bytes = int(file.map_or(append.body.len(), |file| file.bytes) as u64);
        let sql = "INSERT INTO entries (queue, seq, visible_at_ms, due_at_ms, appended_at_ms, claimed,
             token, receives, body_bytes, grp, id, state) VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, 0, ?6, ?7, ?8, ?9)";
        self.connection.prepare_cached(sql)?.execute(params![
            counts.id,
            seq,
            visible_at_ms,
            due_at_ms,
            int(self.now.wall_ms),
            body_bytes,
            append.group,
            append.id,
            &append.state[..],
        ])?;
        self.insert_body(seq, &append.body, file)?;
        self.queues.change(&append.queue, 1, body_bytes);
        self.wake(append.queue);
        Ok(Effect::Appended(seq.unsigned_abs()))
    }

    fn insert_body(&self, seq: i64, body: &[u8], file: Option<&Pinned>) -> rusqlite::Result<()> {
        let sql = "INSERT INTO bodies (seq, file, body) VALUES (?1, ?2, ?3)";
        let hash = file.map(|file| file.hash);
        self.connection.prepare_cached(sql)?.execute(params![seq, hash, body])?;
        hash.map_or(Ok(()), |hash| self.refer(&hash))
    }

    fn is_repeat(&self, counts: &Counts, append: &Append) -> rusqlite::Result<bool> {
        if append.dedup.is_none() {
            return Ok(false);
        }
        let sql = "SELECT 1 FROM seen WHERE queue = ?1 AND id = ?2 AND until_ms > ?3";
        let mut select = self.connection.prepare_cached(sql)?;
        select.exists(params![counts.id, append.id, self.now_ms()])
    }

    fn remember(&self, counts: &Counts, append: &Append) -> rusqlite::Result<()> {
        let Some(window) = append.dedup else { return Ok(()) };
        let sql = "INSERT OR REPLACE INTO seen (queue, id, until_ms) VALUES (?1, ?2, ?3)";
        let until_ms = int(self.now.later_ms(window));
        self.connection.prepare_cached(sql)?.execute(params![counts.id, append.id, until_ms])?;
        Ok(())
    }

    fn has_group(&self, counts: &Counts, group: &str) -> rusqlite::Result<bool> {
        let sql = "SELECT 1 FROM entries WHERE queue = ?1 AND grp = ?2 LIMIT 1";
        self.connection.prepare_cached(sql)?.exists(params![counts.id, group])
    }

    /// Finds an entry whoever holds it.
    pub(super) fn entry(&mut self, queue: &QueueKey, seq: u64) -> rusqlite::Result<Option<Place>> {
        self.place(
            queue,
            seq,
            "SELECT body_bytes, grp FROM entries WHERE queue = ?1 AND seq = ?2",
            None,
        )
    }

    /// Finds a claimed entry, if the receipt is its newest.
    pub(super) fn held(&mut self, receipt: &Receipt) -> rusqlite::Result<Option<Place>> {
        let sql = "SELECT body_bytes, grp FROM entries
             WHERE queue = ?1 AND seq = ?2 AND claimed = 1 AND token = ?3";
        self.place(&receipt.queue, receipt.seq, sql, Some(receipt.token))
    }

    fn place(
        &mut self,
        queue: &QueueKey,
        seq: u64,
        sql: &str,
        token: Option<u64>,
    ) -> rusqlite::Result<Option<Place>> {
        let Some(counts) = self.queues.find(self.connection, queue)? else { return Ok(None) };
        let (queue, seq) = (counts.id, int(seq));
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Place { queue, seq, body_bytes: row.get(0)?, group: row.get(1)? })
        };
        let mut select = self.connection.prepare_cached(sql)?;
        match token {
            Some(token) => select.query_row(params![queue, seq, int(token)], read).optional(),
            None => select.query_row(params![queue, seq], read).optional(),
        }
    }

    pub(super) fn remove(&mut self, queue: &QueueKey, place: Place) -> rusqlite::Result<()> {
        let sql = "DELETE FROM entries WHERE queue = ?1 AND seq = ?2";
        self.connection.prepare_cached(sql)?.execute([place.queue, place.seq])?;
        let sql = "DELETE FROM bodies WHERE seq = ?1 RETURNING file";
        let mut delete = self.connection.prepare_cached(sql)?;
        let file = delete.query_row([place.seq], |row| row.get(0)).optional()?.flatten();
        drop(delete);
        self.unrefer(file.as_ref())?;
        self.queues.change(queue, -1, -place.body_bytes);
        match &place.group {
            Some(group) => self.come_forward(queue, &place, group),
            None => Ok(()),
        }
    }

    /// Lets the first that is left of a group be claimed.
    fn come_forward(
        &mut self,
        queue: &QueueKey,
        gone: &Place,
        group: &str,
    ) -> rusqlite::Result<()> {
        let sql = "UPDATE entries SET visible_at_ms = max(due_at_ms, ?3)
             WHERE queue = ?1 AND visible_at_ms IS NULL AND seq =
                 (SELECT min(seq) FROM entries WHERE queue = ?1 AND grp = ?2)";
        let mut update = self.connection.prepare_cached(sql)?;
        if update.execute(params![gone.queue, group, self.now_ms()])? > 0 {
            self.wake(queue.clone());
        }
        Ok(())
    }

    pub(super) fn release(
        &mut self,
        receipt: &Receipt,
        place: &Place,
        delay: Duration,
        state: Option<&[u8]>,
    ) -> Result<Effect, Stop> {
        let sql = "UPDATE entries SET visible_at_ms = ?3, due_at_ms = ?3, claimed = 0,
             receives = max(receives - 1, 0), state = ifnull(?4, state)
             WHERE queue = ?1 AND seq = ?2";
        let due_at_ms = int(self.now.later_ms(delay));
        let mut update = self.connection.prepare_cached(sql)?;
        update.execute(params![place.queue, place.seq, due_at_ms, state])?;
        self.wake(receipt.queue.clone());
        Ok(Effect::Done)
    }

    pub(super) fn wake(&mut self, queue: QueueKey) {
        if self.woken.last() != Some(&queue) {
            self.woken.push(queue);
        }
    }
}
