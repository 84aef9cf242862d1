//! Opens the directory: one process at a time, the schema, and what a crash left.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use rustix::fs::{FlockOperation, flock};
use wfh_store::{Clock, Now, Steady};

use crate::OpenError;
use crate::batch::{int, uint};
use crate::files::{Files, Hash, hex};
use crate::schema::migrate;

/// How long another program may lock the file before callers are told.
const BUSY: Duration = Duration::from_secs(2);

/// Pages of the log after which it is carried over into the database: 16 MiB.
const CHECKPOINT_PAGES: u32 = 4_096;

/// What was found.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) files: Files,
    pub(crate) time: Steady,
    pub(crate) last: i64,
    /// How often the store was opened, this time included.
    pub(crate) opening: u64,
}

/// Takes the directory for this process until the file is dropped.
pub(crate) fn lock(directory: &Path) -> Result<File, OpenError> {
    let unusable = |path: &Path, source| OpenError::Unusable { path: path.to_owned(), source };
    // Events and answers are nobody else's business; a directory that is there stays as it is.
    let mut builder = fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(directory);
    made.map_err(|error| unusable(directory, error))?;
    let path = directory.join("store.lock");
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = file.map_err(|error| unusable(&path, error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            return Err(OpenError::InUse {
                directory: directory.to_owned(),
                holder: holder(&file),
            });
        }
        Err(error) => return Err(unusable(&path, error.into())),
    }
    // Only a help for whoever is refused; the lock holds without it.
    let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
    Ok(file)
}

fn holder(mut file: &File) -> Option<String> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.take(32).read_to_string(&mut text)).ok()?;
    let pid: u32 = text.trim().parse().ok()?;
    Some(pid.to_string())
}

/// A connection as every one of ours is.
pub(crate) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Opens what is in the directory, whose lock is held.
pub(crate) fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Opened, OpenError> {
    let path = directory.join("store.db");
    let failed = |source| OpenError::Database { path: path.clone(), source };
    let mut connection = connect(&path).map_err(failed)?;
    prepare(&connection).map_err(failed)?;
    migrate(&mut connection, &path)?;
    let (last, moment, opening) = moment(&connection).map_err(failed)?;
    let time = Steady::resume(clock, moment);
    void_claims(&connection, time.now()).map_err(failed)?;
    let files = directory.join("files");
    let unusable = |source: io::Error| OpenError::Unusable { path: files.clone(), source };
    let opened = Files::open(files.clone()).map_err(unusable)?;
    let known = known_files(&connection).map_err(failed)?;
    opened.sweep(|name| known.contains(name)).map_err(unusable)?;
    Ok(Opened { connection, files: opened, time, last, opening })
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    // The log is cut back to this after it grew.
    connection.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "foreign_keys", false)
}

fn moment(connection: &Connection) -> rusqlite::Result<(i64, Now, u64)> {
    let sql = "UPDATE meta SET openings = openings + 1
         RETURNING last, wall_ms, steady_ms, openings";
    connection.query_row(sql, [], |row| {
        let now = Now { wall_ms: uint(row.get(1)?), steady_ms: uint(row.get(2)?) };
        Ok((row.get(0)?, now, uint(row.get(3)?)))
    })
}

/// Whoever held a claim is gone. How often an entry was claimed stays.
fn void_claims(connection: &Connection, now: Now) -> rusqlite::Result<()> {
    let sql = "UPDATE entries INDEXED BY entries_claimed SET visible_at_ms = ?1
         WHERE queue IN (SELECT id FROM queues) AND claimed = 1 AND visible_at_ms > ?1";
    connection.execute(sql, params![int(now.steady_ms)])?;
    // Names that nothing refers to any more.
    let sql = "DELETE FROM queues WHERE entries = 0
         AND NOT EXISTS (SELECT 1 FROM seen WHERE queue = queues.id)";
    connection.execute(sql, [])?;
    Ok(())
}

fn known_files(connection: &Connection) -> rusqlite::Result<HashSet<String>> {
    let mut select = connection.prepare("SELECT hash FROM files")?;
    let names = select.query_map([], |row| row.get::<_, Hash>(0))?;
    names.map(|hash| hash.map(|hash| hex(&hash))).collect()
}
