//! The log ring: the host's records in the data directory, two files of bounded size, one JSON
//! object a line. They can be read while the host runs, and after it crashed.
//!
//! The files are numbered. A full one is followed by the next, and the one before it is removed;
//! so a number names a file for good, which an inode would not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

mod read;
mod source;
mod write;

pub(crate) use read::Reader;
pub(crate) use source::Source;
pub(crate) use write::Writer;

const DIRECTORY: &str = "logs";
const PREFIX: &str = "log-";
const SUFFIX: &str = ".jsonl";
/// The file that is written, and the one before.
const FILES: u64 = 2;

/// Where the ring of a data directory is.
pub(crate) fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join(DIRECTORY)
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{PREFIX}{number:08}{SUFFIX}"))
}

/// The numbers of the files there, in order.
fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests;
