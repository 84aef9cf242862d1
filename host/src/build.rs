//! Build commands: which must run, and running them.

mod command;
mod job;
mod record;
mod sources;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::build::command::{Ending, Output, Runner};
use crate::build::job::Job;
use crate::build::record::Record;
use crate::environment;
use crate::error::Error;
use crate::manifest_file::ManifestFile;

pub(crate) use job::jobs;
pub(crate) use sources::{Sources, located};

/// Who watches a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Somebody who waits for it: lines, and what the compiler writes as it writes it.
    Caller,
    /// Scripts that wait for the first line of `serve`: nothing, until [`Builder::show_log`].
    Script,
    /// The log of a host that serves, and beside it what the compiler writes.
    Log,
}

/// How many commands ran, and how many had nothing to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Built {
    pub(crate) built: usize,
    pub(crate) unchanged: usize,
}

/// Runs build commands, one at a time.
#[derive(Debug)]
pub(crate) struct Builder {
    runner: Runner,
    data_dir: PathBuf,
    /// What failed, by record: the same sources would fail again.
    failed: Mutex<HashMap<PathBuf, String>>,
}

impl Builder {
    /// Keeps what it built from which sources in `data_dir`.
    pub(crate) fn new(data_dir: PathBuf) -> Self {
        Self { runner: Runner::default(), data_dir, failed: Mutex::default() }
    }

    /// Runs the commands whose sources changed since they last succeeded, or whose component is
    /// missing. Goes on after a failure, so that every error is shown.
    pub(crate) fn run(&self, file: &ManifestFile, audience: Audience) -> Result<Built, Error> {
        let mut built = Built::default();
        // What an earlier run wrote; it may not be there.
        let _ = fs::remove_file(self.log());
        let mut errors = Vec::new();
        for job in jobs(file, &self.data_dir).map_err(Error::Builds)? {
            match self.run_job(&job, file, audience) {
                Ok(true) => built.built += 1,
                Ok(false) => built.unchanged += 1,
                Err(reason) => errors.push(failure(file, &job, &reason)),
            }
        }
        if errors.is_empty() { Ok(built) } else { Err(Error::Builds(errors)) }
    }

    /// Whether a command would run.
    pub(crate) fn is_due(&self, file: &ManifestFile) -> bool {
        let due = |job: &Job| match job.sources.digest() {
            Ok(digest) => self.must_run(job, &digest) && !self.has_failed(job, &digest),
            Err(_) => true,
        };
        jobs(file, &self.data_dir).map_or(true, |jobs| jobs.iter().any(due))
    }

    /// Shows what the compilers wrote for [`Audience::Script`]. Nobody is left to tell when standard
    /// error is gone.
    pub(crate) fn show_log(&self) {
        let _ = File::open(self.log()).and_then(|mut log| io::copy(&mut log, &mut io::stderr()));
    }

    fn log(&self) -> PathBuf {
        self.data_dir.join("build").join("last.log")
    }

    /// Ends the running command and everything it started; none runs any more.
    pub(crate) fn stop(&self) {
        self.runner.stop();
    }

    fn run_job(&self, job: &Job, file: &ManifestFile, audience: Audience) -> Result<bool, String> {
        // Before the build: an edit made meanwhile must count as a change afterwards.
        let digest = job.sources.digest().map_err(|error| error.to_string())?;
        let names = job.names();
        if !self.must_run(job, &digest) {
            say(audience, &format!("unchanged {names}"));
            return Ok(false);
        }
        say(audience, &format!("building {names}: {}", job.command));
        if audience == Audience::Log {
            tracing::info!(functions = names, command = job.command, "building");
        }
        let ended = self.run_command(job, &file.directory, audience);
        if let Err(reason) = ended {
            self.failures().insert(job.record_path.clone(), digest);
            return Err(reason);
        }
        self.failures().remove(&job.record_path);
        if let Some(missing) = job.missing_output() {
            return Err(left_nothing(missing));
        }
        Record::new(&job.record_path).write(&digest).map_err(|error| error.to_string())?;
        Ok(true)
    }

    fn must_run(&self, job: &Job, digest: &str) -> bool {
        job.missing_output().is_some() || !Record::new(&job.record_path).is(digest)
    }

    fn has_failed(&self, job: &Job, digest: &str) -> bool {
        self.failures().get(&job.record_path).is_some_and(|failed| failed == digest)
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, String>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_command(&self, job: &Job, directory: &Path, audience: Audience) -> Result<(), String> {
        let output = match audience {
            Audience::Caller | Audience::Log => Output::Stderr,
            Audience::Script => {
                Output::File(append(&self.log()).map_err(|error| error.to_string())?)
            }
        };
        match self.runner.run(&job.command, directory, output) {
            Ok(Ending::Success) => Ok(()),
            Ok(Ending::Stopped) => Err("stopped".to_owned()),
            Ok(Ending::Failed(status)) => Err(format!("`{}` failed: {status}", job.command)),
            Err(error) => Err(format!("`sh` cannot run: {error}")),
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    File::options().create(true).append(true).open(path)
}

fn say(audience: Audience, line: &str) {
    if audience == Audience::Caller {
        // Nobody is left to tell when standard error is gone.
        let _ = writeln!(io::stderr(), "{line}");
    }
}

fn left_nothing(missing: &Path) -> String {
    let mut reason = format!("it succeeded but left no {}", missing.display());
    if let Some(directory) = environment::variable("CARGO_TARGET_DIR") {
        reason += &format!("; CARGO_TARGET_DIR is set: cargo builds to {directory}");
    }
    reason
}

fn failure(file: &ManifestFile, job: &Job, reason: &str) -> String {
    let message = match job.functions.as_slice() {
        [_] => reason.to_owned(),
        _ => format!("{reason} (it builds {})", job.names()),
    };
    let key = job.functions.first().map(|name| format!("function.{name}.build.command"));
    let place = file.error_at(&key.unwrap_or_default(), &message);
    format!("{}: {place}", wfh_event::ErrorCode::BuildFailed)
}
