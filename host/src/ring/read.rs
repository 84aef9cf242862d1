//! Reads the ring, also while it is written.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Map, Value};
use wfh_admin::{LogLevel, LogPosition, LogQuery, LogReader};

use super::{numbers, path};

/// What a line is read up to; a longer one is none of ours.
const LINE_BYTES_MAX: usize = 16 << 20;

/// Reads records in order. At the end it can be asked again.
pub(crate) struct Reader {
    directory: PathBuf,
    query: LogQuery,
    cutoff: Option<Timestamp>,
    open: Option<Open>,
    /// Whether records were removed before they were read.
    skipped: bool,
}

struct Open {
    file: BufReader<File>,
    number: u64,
    /// Behind the last whole line.
    offset: u64,
    /// The beginning of a line whose end is not written yet.
    line: Vec<u8>,
}

impl Reader {
    pub(crate) fn open(directory: &Path, query: &LogQuery) -> Self {
        let now = Timestamp::now();
        let cutoff = query.since.and_then(|since| now.checked_sub(since).ok());
        let (directory, query) = (directory.to_owned(), query.clone());
        Self { directory, query, cutoff, open: None, skipped: false }
    }

    /// Whether records were removed before they could be read, since it was asked last.
    pub(crate) fn take_skipped(&mut self) -> bool {
        std::mem::take(&mut self.skipped)
    }

    /// The next whole line.
    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let Some(open) = &mut self.open else {
                match self.first()? {
                    Some(first) => self.open = Some(first),
                    None => return Ok(None),
                }
                continue;
            };
            if let Some(line) = open.next_line()? {
                return Ok(Some(line));
            }
            let number = open.number;
            let later = later(&self.directory, number)?;
            let Some(next) = later.first().copied() else { return Ok(None) };
            // What was written between our look at its end and the beginning of the next file.
            if let Some(line) = open.next_line()? {
                return Ok(Some(line));
            }
            self.skipped |= next > number + 1;
            self.open = Open::at(&self.directory, next, 0)?;
        }
    }

    /// Where to begin.
    fn first(&self) -> io::Result<Option<Open>> {
        let numbers = match numbers(&self.directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            numbers => numbers?,
        };
        let Some(oldest) = numbers.first().copied() else { return Ok(None) };
        match self.query.after {
            Some(after) if numbers.contains(&after.file) => {
                Open::at(&self.directory, after.file, after.offset)
            }
            _ => Open::at(&self.directory, oldest, 0),
        }
    }

    fn wants(&self, record: &Map<String, Value>) -> bool {
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        let is = |key, wanted: Option<String>| {
            wanted.is_none_or(|wanted| text(key) == Some(wanted.as_str()))
        };
        is("function", self.query.function.as_ref().map(ToString::to_string))
            && is("invocation", self.query.invocation.as_ref().map(ToString::to_string))
            && self.query.level.is_none_or(|least| {
                let level = text("level").and_then(|level| level.parse::<LogLevel>().ok());
                level.is_some_and(|level| level >= least)
            })
            && self.cutoff.is_none_or(|cutoff| {
                let time = text("timestamp").and_then(|time| time.parse::<Timestamp>().ok());
                time.is_some_and(|time| time >= cutoff)
            })
    }
}

/// The files behind `number`, in order.
fn later(directory: &Path, number: u64) -> io::Result<Vec<u64>> {
    match numbers(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        numbers => Ok(numbers?.into_iter().filter(|later| *later > number).collect()),
    }
}

impl Open {
    /// `None` when the file has just been removed.
    fn at(directory: &Path, number: u64, offset: u64) -> io::Result<Option<Self>> {
        let mut file = match File::open(path(directory, number)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        file.seek(SeekFrom::Start(offset))?;
        Ok(Some(Self { file: BufReader::new(file), number, offset, line: Vec::new() }))
    }

    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.file.read_until(b'\n', &mut self.line)?;
        let complete = self.line.ends_with(b"\n");
        if !complete && self.line.len() < LINE_BYTES_MAX {
            return Ok(None);
        }
        self.offset += self.line.len() as u64;
        Ok(Some(std::mem::take(&mut self.line)))
    }
}

impl LogReader for Reader {
    fn next_record(&mut self) -> io::Result<Option<Map<String, Value>>> {
        let named = [
            self.query.function.as_ref().map(ToString::to_string),
            self.query.invocation.as_ref().map(ToString::to_string),
        ];
        while let Some(line) = self.next_line()? {
            // Cheaper than to parse a line that names something else.
            let mut named = named.iter().flatten();
            if !named.all(|name| memchr::memmem::find(&line, name.as_bytes()).is_some()) {
                continue;
            }
            // A line that a crash cut off is no record.
            let record = serde_json::from_slice::<Map<String, Value>>(&line);
            if let Some(record) = record.ok().filter(|record| self.wants(record)) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    fn position(&self) -> Option<LogPosition> {
        self.open.as_ref().map(|open| LogPosition { file: open.number, offset: open.offset })
    }
}
