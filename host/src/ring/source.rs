//! The ring as the admin API reads it.

use std::io;
use std::path::PathBuf;

use wfh_admin::{LogQuery, LogReader, LogSource};

use super::Reader;

/// The ring in a directory.
pub(crate) struct Source(pub(crate) PathBuf);

impl LogSource for Source {
    fn open(&self, query: &LogQuery) -> io::Result<Box<dyn LogReader>> {
        Ok(Box::new(Reader::open(&self.0, query)))
    }
}
