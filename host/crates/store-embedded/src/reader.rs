//! Reads, on connections of their own that never wait for the writer.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};
use wfh_store::{Depth, Entry, Key, Now, QueueKey, Value};

use crate::batch::{int, uint};
use crate::files::Hash;
use crate::open::connect;

/// Idle connections above this are closed.
const IDLE_MAX: usize = 8;

/// The connections that nobody uses now.
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

/// Something read, whose bytes may still be in a file.
pub(crate) struct Found<T> {
    pub(crate) what: T,
    pub(crate) file: Option<Hash>,
}

impl Readers {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::default() }
    }

    /// Lends a connection.
    pub(crate) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open()?,
        };
        let found = read(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        found
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = connect(&self.path)?;
        connection.pragma_update(None, "query_only", true)?;
        // Two MiB: the writer's pages are in the system's cache anyway.
        connection.pragma_update(None, "cache_size", -2_048)?;
        Ok(connection)
    }
}

pub(crate) fn get(
    connection: &Connection,
    key: &Key,
    now: Now,
) -> rusqlite::Result<Option<Found<Value>>> {
    let sql = "SELECT version, expires_at_ms, file, bytes FROM kv
         WHERE key = ?1 AND ifnull(expires_at_ms > ?2, 1)";
    let mut select = connection.prepare_cached(sql)?;
    let bound = params![key.as_str(), int(now.steady_ms)];
    select.query_row(bound, |row| value(row, 0, now)).optional()
}

pub(crate) fn list(
    connection: &Connection,
    prefix: &str,
    after: Option<&Key>,
    limit: u32,
    now: Now,
) -> rusqlite::Result<Vec<(Key, Found<Value>)>> {
    // Whichever begins later; the end of the prefix is found by looking.
    let sql = "SELECT key, version, expires_at_ms, file, bytes FROM kv
         WHERE key >= ?1 AND key > ?2 AND ifnull(expires_at_ms > ?3, 1) ORDER BY key";
    let mut select = connection.prepare_cached(sql)?;
    let after = after.map_or("", Key::as_str);
    let mut rows = select.query(params![prefix, after, int(now.steady_ms)])?;
    let mut found = Vec::new();
    while found.len() < limit as usize
        && let Some(row) = rows.next()?
    {
        let name = row.get_ref(0)?.as_str()?;
        if !name.starts_with(prefix) {
            break;
        }
        if let Ok(key) = Key::new(name) {
            found.push((key, value(row, 1, now)?));
        }
    }
    Ok(found)
}

fn value(row: &Row<'_>, first: usize, now: Now) -> rusqlite::Result<Found<Value>> {
    let expires_at_ms: Option<i64> = row.get(first + 1)?;
    let what = Value {
        version: uint(row.get(first)?),
        expires_at_ms: expires_at_ms.map(|at_ms| now.wall_of(uint(at_ms))),
        bytes: Bytes::copy_from_slice(row.get_ref(first + 3)?.as_blob()?),
    };
    Ok(Found { what, file: row.get(first + 2)? })
}

/// When the next entry may be claimed, in steady time.
pub(crate) fn next_visible(
    connection: &Connection,
    queue: &QueueKey,
) -> rusqlite::Result<Option<u64>> {
    let sql = "SELECT min(visible_at_ms) FROM entries INDEXED BY entries_visible
         WHERE queue = (SELECT id FROM queues WHERE name = ?1) AND visible_at_ms IS NOT NULL";
    let mut select = connection.prepare_cached(sql)?;
    let found: Option<i64> = select.query_row([queue.as_str()], |row| row.get(0))?;
    Ok(found.map(uint))
}

pub(crate) fn depth(
    connection: &Connection,
    queue: &QueueKey,
    now: Now,
) -> rusqlite::Result<Depth> {
    let sql = "SELECT entries, bytes,
         (SELECT count(*) FROM entries INDEXED BY entries_claimed
             WHERE queue = queues.id AND claimed = 1 AND visible_at_ms > ?2),
         (SELECT appended_at_ms FROM entries WHERE queue = queues.id ORDER BY seq LIMIT 1)
         FROM queues WHERE name = ?1";
    let mut select = connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        let oldest_at_ms: Option<i64> = row.get(3)?;
        Ok(Depth {
            entries: uint(row.get(0)?),
            bytes: uint(row.get(1)?),
            claimed: uint(row.get(2)?),
            oldest_at_ms: oldest_at_ms.map(uint),
        })
    };
    let found = select.query_row(params![queue.as_str(), int(now.steady_ms)], read).optional()?;
    Ok(found.unwrap_or_default())
}

pub(crate) fn peek(
    connection: &Connection,
    queue: &QueueKey,
    after: Option<u64>,
    limit: u32,
    now: Now,
) -> rusqlite::Result<Vec<Found<Entry>>> {
    let sql = "SELECT e.seq, e.id, e.state, e.grp, e.appended_at_ms,
             ifnull(e.visible_at_ms, e.due_at_ms), e.receives, b.file, b.body
         FROM entries e CROSS JOIN bodies b ON b.seq = e.seq
         WHERE e.queue = (SELECT id FROM queues WHERE name = ?1) AND e.seq > ?2
         ORDER BY e.seq LIMIT ?3";
    let mut select = connection.prepare_cached(sql)?;
    let bound = params![queue.as_str(), after.map_or(-1, int), limit];
    let read = |row: &Row<'_>| {
        let what = Entry {
            seq: uint(row.get(0)?),
            id: row.get(1)?,
            state: Bytes::copy_from_slice(row.get_ref(2)?.as_blob()?),
            group: row.get(3)?,
            appended_at_ms: uint(row.get(4)?),
            due_at_ms: now.wall_of(uint(row.get(5)?)),
            receives: row.get(6)?,
            body: Bytes::copy_from_slice(row.get_ref(8)?.as_blob()?),
        };
        Ok(Found { what, file: row.get(7)? })
    };
    select.query_map(bound, read)?.collect()
}

pub(crate) fn queues(connection: &Connection) -> rusqlite::Result<Vec<QueueKey>> {
    let mut select =
        connection.prepare_cached("SELECT name FROM queues WHERE entries > 0 ORDER BY name")?;
    let names: Vec<String> =
        select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    // Every name in the table was a valid one.
    Ok(names.iter().filter_map(|name| QueueKey::new(name).ok()).collect())
}

/// Whether an entry is there.
pub(crate) fn exists(
    connection: &Connection,
    queue: &QueueKey,
    seq: u64,
) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM entries
         WHERE queue = (SELECT id FROM queues WHERE name = ?1) AND seq = ?2";
    connection.prepare_cached(sql)?.exists(params![queue.as_str(), int(seq)])
}
