//! What can go wrong at open, and how an error of Redis is told.

use redis::RedisError;
use thiserror::Error;
use wfh_store::StoreError;

/// Why a store could not be opened. Nothing on the server was changed. Passwords are never shown.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The address makes no sense.
    #[error(
        "the store's url is not valid: {reason}; expected redis://HOST:PORT or rediss://HOST:PORT"
    )]
    Url {
        /// What is wrong.
        reason: String,
    },
    /// The app's name cannot be part of a key.
    #[error("`{app}` cannot name the store's keys: it must be a name without braces")]
    App {
        /// The name.
        app: String,
    },
    /// No connection, or no answer.
    #[error("cannot use the Redis server {server}: {reason}")]
    Server {
        /// Host and port.
        server: String,
        /// Why.
        reason: String,
    },
    /// It lacks what the scripts need.
    #[error("the Redis server {server} is of version {found}; the store needs 7.0 or newer")]
    TooOld {
        /// Host and port.
        server: String,
        /// Its version.
        found: String,
    },
    /// It follows another one.
    #[error("the Redis server {server} is a replica; name its primary in store.url")]
    Replica {
        /// Host and port.
        server: String,
    },
    /// Another version of wfh wrote what is there.
    #[error("the store on the Redis server {server} cannot be read: {reason}; run that version")]
    Newer {
        /// Host and port.
        server: String,
        /// What is there.
        reason: String,
    },
    /// It may lose what it has acknowledged.
    #[error(
        "the Redis server {server} has `{setting} {found}` and so may lose what it is given; type \
         `redis-cli CONFIG SET {setting} {wanted}` (and set it in redis.conf), or accept losses with \
         store.durability = \"relaxed\""
    )]
    NotDurable {
        /// Host and port.
        server: String,
        /// The setting.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
}

/// What a caller is told when Redis fails.
pub(crate) fn unavailable(error: &RedisError) -> StoreError {
    let hint = match error.code() {
        Some("OOM") => "Redis is at its `maxmemory`; raise it, or let queues drain",
        Some("MISCONF") => "Redis cannot write its file; is its disk full?",
        Some("READONLY") => "the Redis server is a replica now",
        Some("LOADING") => "Redis is loading its file",
        Some("NOPERM") => "the user of the store's url lacks a permission in Redis",
        _ if error.is_timeout() => "Redis did not answer in time",
        _ if error.is_io_error() => "the connection to Redis was lost",
        _ => return StoreError::Unavailable(format!("Redis: {error}")),
    };
    StoreError::Unavailable(format!("{hint} ({error})"))
}

/// What a caller is told when an answer is not what a script gives.
pub(crate) fn garbled(what: &str) -> StoreError {
    StoreError::Unavailable(format!("Redis answered with something else than {what}"))
}
