//! Writes the ring.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{FILES, numbers, path};

/// The end of the ring.
pub(crate) struct Writer {
    directory: PathBuf,
    file: File,
    number: u64,
    file_bytes: u64,
    file_bytes_max: u64,
    buffer: Vec<u8>,
    lost: u64,
}

impl Writer {
    /// Goes on where the last host ended. Only this user may read what is there.
    pub(crate) fn open(directory: &Path, bytes_max: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let number = numbers(directory)?.last().copied().unwrap_or(1);
        let mut file = open(directory, number)?;
        let file_bytes = end_line(&mut file)?;
        let file_bytes_max = (bytes_max / FILES).max(1);
        let (directory, buffer) = (directory.to_owned(), Vec::new());
        Ok(Self { directory, file, number, file_bytes, file_bytes_max, buffer, lost: 0 })
    }

    /// Takes a line to be written with the next piece.
    pub(crate) fn add(&mut self, line: &[u8]) {
        let (size, max) = (line.len() as u64, self.file_bytes_max);
        if size > max {
            self.lost += 1;
            return;
        }
        if self.file_bytes + self.buffer.len() as u64 + size > max {
            self.write_buffer();
            if let Err(error) = self.next_file() {
                self.report(&error);
            }
        }
        self.buffer.extend_from_slice(line);
    }

    /// Writes what was taken, and says how many lines are missing.
    pub(crate) fn write(&mut self, dropped: u64) {
        self.write_buffer();
        let lines = dropped + std::mem::take(&mut self.lost);
        if lines > 0 {
            let timestamp = jiff::Timestamp::now();
            let record = serde_json::json!({
                "timestamp": timestamp.to_string(), "level": "WARN",
                "message": "log lines dropped", "lines": lines,
            });
            self.add(format!("{record}\n").as_bytes());
            self.write_buffer();
        }
    }

    /// What a full disk refuses is lost and counted; the next piece is tried again.
    fn write_buffer(&mut self) {
        match self.file.write_all(&self.buffer) {
            Ok(()) => self.file_bytes += self.buffer.len() as u64,
            Err(error) => {
                self.lost += self.buffer.iter().filter(|byte| **byte == b'\n').count() as u64;
                self.report(&error);
                self.file_bytes = end_line(&mut self.file).unwrap_or(self.file_bytes);
            }
        }
        self.buffer.clear();
    }

    fn next_file(&mut self) -> io::Result<()> {
        let number = self.number + 1;
        self.file = open(&self.directory, number)?;
        self.file_bytes = end_line(&mut self.file)?;
        self.number = number;
        for old in numbers(&self.directory)?.into_iter().filter(|old| old + FILES <= number) {
            fs::remove_file(path(&self.directory, old))?;
        }
        Ok(())
    }

    /// Not through the log: it would come back here.
    fn report(&self, error: &io::Error) {
        let directory = self.directory.display();
        // Nobody is left to tell when standard error is gone.
        let _ = writeln!(io::stderr(), "warning: the log is not kept in {directory}: {error}");
    }
}

fn open(directory: &Path, number: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).read(true).mode(0o600).open(path(directory, number))
}

/// Ends a line that a crash or a full disk cut off. Gives the file's size.
fn end_line(file: &mut File) -> io::Result<u64> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if size > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last == *b"\n" {
        return Ok(size);
    }
    file.write_all(b"\n")?;
    Ok(size + 1)
}
