//! Operations on values.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use wfh_store::{Effect, Expect, Key, StoreError};

use crate::error::Stop;
use crate::files::{Hash, Pinned};

use super::{Batch, int};

/// A key's row, which may be over.
pub(super) struct Row {
    id: i64,
    version: i64,
    live: bool,
    file: Option<Hash>,
}

impl Batch<'_> {
    fn row(&self, key: &Key) -> rusqlite::Result<Option<Row>> {
        let sql = "SELECT id, version, ifnull(expires_at_ms > ?2, 1), file FROM kv WHERE key = ?1";
        let mut select = self.connection.prepare_cached(sql)?;
        let read = |row: &rusqlite::Row<'_>| {
            let (id, version) = (row.get(0)?, row.get(1)?);
            Ok(Row { id, version, live: row.get(2)?, file: row.get(3)? })
        };
        select.query_row(params![key.as_str(), self.now_ms()], read).optional()
    }

    /// The row, if there is one; the outer `None`: the key is not as expected.
    pub(super) fn expected(
        &self,
        key: &Key,
        expect: &Expect,
    ) -> rusqlite::Result<Option<Option<Row>>> {
        let row = self.row(key)?;
        let live = row.as_ref().filter(|row| row.live);
        let holds = match expect {
            Expect::Any => true,
            Expect::Absent => live.is_none(),
            Expect::Version(version) => live.is_some_and(|row| row.version == int(*version)),
            Expect::Lease(lease) => {
                let leases = &self.shared.leases;
                live.is_none() && lease.key == *key && leases.pin(lease, self.now)
            }
        };
        Ok(holds.then_some(row))
    }

    pub(super) fn put(
        &mut self,
        key: Key,
        row: Option<Row>,
        bytes: &[u8],
        file: Option<&Pinned>,
        ttl: Option<Duration>,
    ) -> Result<Effect, Stop> {
        let version = self.next();
        let expires_at_ms = ttl.map(|ttl| int(self.now.later_ms(ttl)));
        let hash = file.map(|file| file.hash);
        if let Some(hash) = &hash {
            self.refer(hash)?;
        }
        match row {
            Some(row) => {
                let sql = "UPDATE kv SET version = ?2, expires_at_ms = ?3, file = ?4, bytes = ?5
                     WHERE id = ?1";
                let mut update = self.connection.prepare_cached(sql)?;
                update.execute(params![row.id, version, expires_at_ms, hash, bytes])?;
                self.unrefer(row.file.as_ref())?;
            }
            None => {
                let sql = "INSERT INTO kv (key, version, expires_at_ms, file, bytes)
                     VALUES (?1, ?2, ?3, ?4, ?5)";
                let mut insert = self.connection.prepare_cached(sql)?;
                insert.execute(params![key.as_str(), version, expires_at_ms, hash, bytes])?;
            }
        }
        self.written.push(key);
        Ok(Effect::Version(version.unsigned_abs()))
    }

    pub(super) fn delete(&mut self, key: Key, row: Option<Row>) -> Result<Effect, Stop> {
        let live = row.as_ref().is_some_and(|row| row.live);
        if let Some(row) = row {
            self.connection.prepare_cached("DELETE FROM kv WHERE id = ?1")?.execute([row.id])?;
            self.unrefer(row.file.as_ref())?;
        }
        self.written.push(key);
        Ok(Effect::Removed(live))
    }

    pub(super) fn increment(&mut self, key: Key, delta: i64) -> Result<Effect, Stop> {
        let invalid =
            |reason: &str| Stop::Refused(StoreError::Invalid(format!("`{key}` {reason}")));
        let row = self.row(&key)?;
        let live = row.as_ref().filter(|row| row.live);
        let before = match live {
            None => 0,
            Some(row) => self.number(row)?.ok_or_else(|| invalid("holds no number"))?,
        };
        let sum = before.checked_add(delta).ok_or_else(|| invalid("would leave 64 bits"))?;
        let text = sum.to_string();
        match live {
            Some(row) => {
                let version = self.next();
                let sql = "UPDATE kv SET version = ?2, bytes = ?3 WHERE id = ?1";
                let mut update = self.connection.prepare_cached(sql)?;
                update.execute(params![row.id, version, text.as_bytes()])?;
                self.written.push(key);
            }
            None => {
                self.put(key, row, text.as_bytes(), None, None)?;
            }
        }
        Ok(Effect::Sum(sum))
    }

    /// A value as a number; a large one is none.
    fn number(&self, row: &Row) -> rusqlite::Result<Option<i64>> {
        let mut select = self.connection.prepare_cached("SELECT bytes FROM kv WHERE id = ?1")?;
        let bytes: Vec<u8> = select.query_row([row.id], |row| row.get(0))?;
        let text = std::str::from_utf8(&bytes).ok();
        Ok(text.and_then(|text| text.parse().ok()))
    }
}
