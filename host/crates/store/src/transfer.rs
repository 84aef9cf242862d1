//! Moves what a store holds: to JSON Lines, from them, or into another store.
//!
//! One record a value or entry, after a line that tells the format. A few records are in memory at a
//! time. What is not moved: leases, claims (the entries come as waiting), how often an entry was
//! claimed, versions and numbers (the order stays), and the ids that deduplication remembers.

mod load;
mod record;
mod source;

use std::io::{self, BufRead, Read, Write};

use thiserror::Error;

use crate::{BYTES_MAX, Store, StoreError};

use load::Loader;
use record::{Header, Record};
use source::Source;

/// The longest line: a value in base64, and names.
const LINE_BYTES_MAX: u64 = (BYTES_MAX as u64) * 2;

/// How much was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// Values under keys.
    pub values: u64,
    /// Entries of queues.
    pub entries: u64,
    /// What had no time to live left.
    pub expired: u64,
}

/// Why nothing more was moved.
#[derive(Debug, Error)]
pub enum TransferError {
    /// A store refused or failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The lines cannot be written or read.
    #[error("{0}")]
    Lines(#[from] io::Error),
    /// A line is not what was expected.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// The store to fill holds something.
    #[error("the store is not empty ({0}): what is moved would mix with it; name an empty one")]
    NotEmpty(String),
}

/// Writes everything that `store` holds. `now_ms` is what the wall clock shows.
///
/// # Errors
/// The store or the writer failed.
pub async fn export(
    store: &dyn Store,
    now_ms: u64,
    mut lines: impl Write,
) -> Result<Moved, TransferError> {
    let mut moved = Moved::default();
    write_line(&mut lines, &Header::new(now_ms))?;
    let mut source = Source::new(store);
    while let Some(records) = source.next().await? {
        for record in &records {
            write_line(&mut lines, record)?;
            moved.count(record);
        }
    }
    lines.flush()?;
    Ok(moved)
}

/// Fills `store`, which must be empty, from lines that [`export`] wrote. `now_ms` is what the wall
/// clock shows. After an error the store may hold a part.
///
/// # Errors
/// A line is not valid, or the store is not empty, refused or failed.
pub async fn import(
    store: &dyn Store,
    now_ms: u64,
    mut lines: impl BufRead,
) -> Result<Moved, TransferError> {
    let mut loader = Loader::new(store, now_ms).await?;
    let mut number = 1;
    let first = read_line(&mut lines, number)?.unwrap_or_default();
    Header::check(&first).map_err(|reason| TransferError::Line { line: number, reason })?;
    loop {
        number += 1;
        let Some(line) = read_line(&mut lines, number)? else { break };
        let parsed: Record = serde_json::from_slice(&line).map_err(|error| {
            let reason = format!("no record of a value or an entry: {error}");
            TransferError::Line { line: number, reason }
        })?;
        loader.push(parsed, number).await?;
    }
    loader.finish().await
}

/// Fills `to`, which must be empty, with everything that `from` holds.
///
/// # Errors
/// `to` is not empty, or one of both failed.
pub async fn migrate(
    from: &dyn Store,
    to: &dyn Store,
    now_ms: u64,
) -> Result<Moved, TransferError> {
    let mut loader = Loader::new(to, now_ms).await?;
    let (mut source, mut number) = (Source::new(from), 0);
    while let Some(records) = source.next().await? {
        for record in records {
            number += 1;
            loader.push(record, number).await?;
        }
    }
    loader.finish().await
}

impl Moved {
    fn count(&mut self, record: &Record) {
        match record {
            Record::Value(_) => self.values += 1,
            Record::Entry(_) => self.entries += 1,
        }
    }
}

fn write_line(lines: &mut impl Write, record: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *lines, record)?;
    lines.write_all(b"\n")
}

/// The next line that is not blank; nothing at the end.
fn read_line(lines: &mut impl BufRead, number: u64) -> Result<Option<Vec<u8>>, TransferError> {
    let mut line = Vec::new();
    let read = lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    let whole = line.last() == Some(&b'\n');
    if !whole && read as u64 == LINE_BYTES_MAX {
        let reason = format!("longer than {LINE_BYTES_MAX} bytes");
        return Err(TransferError::Line { line: number, reason });
    }
    Ok((read > 0).then_some(line))
}

#[cfg(all(test, feature = "memory"))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
