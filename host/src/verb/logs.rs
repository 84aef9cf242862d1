//! `wfh logs`: the records a host keeps in its data directory, whether it runs or not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;
use serde_json::{Map, Value};
use wfh_admin::{LogLevel, LogQuery, LogReader};
use wfh_event::{FunctionName, InvocationId};

use crate::error::Error;
use crate::manifest_file::ManifestFile;
use crate::output::{self, Format, OutputOption};
use crate::ring;

pub(crate) mod line;

/// `wfh logs`
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Only records about this function
    function: Option<FunctionName>,
    /// Go on with new records as they come
    #[arg(long, short)]
    follow: bool,
    /// Only records not older than this, such as 10m
    #[arg(long, value_name = "DURATION")]
    since: Option<SignedDuration>,
    /// Only records of this invocation
    #[arg(long, value_name = "ID")]
    invocation: Option<InvocationId>,
    /// Only records of at least this level: trace, debug, info, warn or error
    #[arg(long, value_name = "LEVEL")]
    level: Option<LogLevel>,
    /// Where the host keeps its data [default: that of the manifest]
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    /// The host's manifest; without one, the data is looked for in .wfh
    #[arg(long, value_name = "PATH", default_value = "wfh.toml")]
    manifest: PathBuf,
    #[command(flatten)]
    output: OutputOption,
}

/// How soon a follower sees a new record.
const POLL: Duration = Duration::from_millis(100);

/// Prints them, the oldest first.
pub(crate) fn run(options: &Logs) -> Result<(), Error> {
    let directory = ring::directory(&data_dir(options)?);
    if !directory.is_dir() && !options.follow {
        let hint = "no log is kept there; give the host's --data-dir or its --manifest";
        let missing = std::io::Error::new(std::io::ErrorKind::NotFound, hint);
        return Err(Error::file(&directory, missing));
    }
    let query = LogQuery {
        function: options.function.clone(),
        invocation: options.invocation,
        level: options.level,
        since: options.since.map(SignedDuration::unsigned_abs),
        after: None,
    };
    let mut reader = ring::Reader::open(&directory, &query);
    let read = |error| Error::file(&directory, error);
    loop {
        let mut text = String::new();
        while let Some(record) = reader.next_record().map_err(read)? {
            text += &shown(&record, options.output.output);
            if text.len() > 64 << 10 && !output::print_on(std::mem::take(&mut text).as_bytes())? {
                return Ok(());
            }
        }
        if reader.take_skipped() {
            eprintln!("records were overwritten before they could be read");
        }
        if !output::print_on(text.as_bytes())? || !options.follow {
            return Ok(());
        }
        if !output::waits_for_more(POLL) {
            return Ok(());
        }
    }
}

fn data_dir(options: &Logs) -> Result<PathBuf, Error> {
    if let Some(directory) = &options.data_dir {
        return Ok(directory.clone());
    }
    if !options.manifest.exists() && options.manifest == Path::new("wfh.toml") {
        return Ok(PathBuf::from(".wfh"));
    }
    Ok(ManifestFile::read(&options.manifest)?.data_dir(None))
}

fn shown(record: &Map<String, Value>, format: Format) -> String {
    match format {
        Format::Table => line::of(record),
        Format::Json => format!("{}\n", Value::Object(record.clone())),
    }
}
