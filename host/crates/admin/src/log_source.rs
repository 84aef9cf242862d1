//! The port to the log: whoever keeps the host's records offers them here.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use utoipa::ToSchema;
use wfh_event::{FunctionName, InvocationId};

/// How much a record matters, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// For developers of the host.
    Trace,
    /// Details, such as invocations that went well.
    Debug,
    /// What a function printed, and the host's doings.
    Info,
    /// Somebody should look at it some time.
    Warn,
    /// Somebody should look at it now.
    Error,
}

/// The text is not a level.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a level; expected trace, debug, info, warn or error")]
pub struct ParseLogLevelError(String);

impl FromStr for LogLevel {
    type Err = ParseLogLevelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let levels = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error];
        let names = ["trace", "debug", "info", "warn", "error"];
        let known = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let level = known.and_then(|index| levels.get(index).copied());
        level.ok_or_else(|| ParseLogLevelError(text.to_owned()))
    }
}

/// Which records are wanted. What is `None` lets every record through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Records about this function.
    pub function: Option<FunctionName>,
    /// Records of this invocation.
    pub invocation: Option<InvocationId>,
    /// Records of at least this level.
    pub level: Option<LogLevel>,
    /// Records not older than this.
    pub since: Option<Duration>,
    /// Records behind this place; one that is no longer kept means the oldest that is.
    pub after: Option<LogPosition>,
}

/// A place between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition {
    /// Which of the files.
    pub file: u64,
    /// Bytes from its beginning.
    pub offset: u64,
}

/// The text is not a place in the log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a cursor of this listing")]
pub struct ParseLogPositionError(String);

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.file, self.offset)
    }
}

impl FromStr for LogPosition {
    type Err = ParseLogPositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let parsed = text
            .split_once('-')
            .and_then(|(file, offset)| Some(Self { file: number(file)?, offset: number(offset)? }));
        parsed.ok_or_else(|| ParseLogPositionError(text.to_owned()))
    }
}

/// Keeps the host's records.
pub trait LogSource: Send + Sync {
    /// Begins to read. May block for as long as a file takes to open.
    ///
    /// # Errors
    /// What is kept cannot be read.
    fn open(&self, query: &LogQuery) -> io::Result<Box<dyn LogReader>>;
}

/// Reads records in the order in which they were written.
pub trait LogReader: Send {
    /// The next record; `None` when there is none yet. May block for as long as a file takes to
    /// read.
    ///
    /// # Errors
    /// What is kept cannot be read.
    fn next_record(&mut self) -> io::Result<Option<Map<String, Value>>>;

    /// The place behind the last record that was read.
    fn position(&self) -> Option<LogPosition>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_print_and_parse_and_nothing_else_is_one() {
        let position = LogPosition { file: 0xabc, offset: 7 };
        assert_eq!(position.to_string().parse(), Ok(position));
        for text in ["", "-", "1-", "x-1", "1-2-3", "../1", "1-ffffffffffffffffff"] {
            assert!(text.parse::<LogPosition>().is_err(), "{text:?} was taken for a position");
        }
    }
}
