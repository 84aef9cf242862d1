//! What can go wrong at open, and how an error of SQLite is told.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;
use thiserror::Error;
use wfh_store::StoreError;

/// Why a store could not be opened. Nothing in the directory was changed.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the data directory `{}` is in use by another process{}; give each host a directory of its \
         own, or stop the other one",
        directory.display(),
        holder.as_ref().map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The directory.
        directory: PathBuf,
        /// Who holds it, if it said so.
        holder: Option<String>,
    },
    /// The directory or a file in it cannot be made or used.
    #[error("cannot use `{}` as a place of the store: {source}", path.display())]
    Unusable {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A newer version of wfh wrote it.
    #[error(
        "`{}` was written by a newer version (schema {found}, this one knows {known}); run that \
         version, or export there and import here",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest this version knows.
        known: i64,
    },
    /// It is a database, but none of ours.
    #[error("`{}` is the database of another application; name an empty directory", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// SQLite cannot open it.
    #[error("cannot open `{}`: {}", path.display(), plain(source))]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// An error of SQLite in words for an operator.
fn plain(error: &rusqlite::Error) -> String {
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds a lock on it"
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            "the file is damaged; restore it from a backup"
        }
        Some(ErrorCode::ReadOnly) => "the file or its directory is read-only",
        Some(ErrorCode::CannotOpen) => "the file cannot be opened",
        Some(ErrorCode::SystemIoFailure) => "reading or writing failed",
        _ => return error.to_string(),
    };
    format!("{hint} ({error})")
}

/// What a caller is told when SQLite fails.
pub(crate) fn unavailable(error: &rusqlite::Error) -> StoreError {
    StoreError::Unavailable(plain(error))
}

/// What a caller is told when a file of a large value fails.
pub(crate) fn file_failed(path: &std::path::Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("`{}`: {error}", path.display()))
}

/// Why an operation was not done.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Its commit is refused; others of the batch go on.
    Refused(StoreError),
    /// SQLite failed, and with it the batch.
    Broken(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(error)
    }
}
