//! `wfh doctor`: what this machine lacks, and what mends it.

use std::path::PathBuf;

use clap::Args;

use crate::doctor::{Finding, State, examine};
use crate::error::Error;
use crate::manifest_file::ManifestFile;
use crate::output::{self, OutputOption};

/// `wfh doctor`
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The manifest whose needs are looked at; without one, those of any [default: wfh.toml if it is
    /// there]
    path: Option<PathBuf>,
    /// Where compiled components are kept [default: .wfh beside the manifest]
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    output: OutputOption,
}

/// Lists what was found; fails when something that is needed does not work.
pub(crate) fn run(options: &Doctor) -> Result<(), Error> {
    let default = PathBuf::from("wfh.toml");
    let path = match &options.path {
        None if default.is_file() => Some(&default),
        asked => asked.as_ref(),
    };
    let parsed = path.map(|path| ManifestFile::read(path).map_err(|error| (path, error)));
    let (file, mut findings) = match parsed {
        None => (None, Vec::new()),
        Some(Ok(file)) => {
            let found = file.path().display().to_string();
            (Some(file), vec![Finding::ok("manifest", found)])
        }
        Some(Err((path, error))) => {
            let first = error.to_string().lines().next().unwrap_or_default().to_owned();
            let mend = format!("wfh check {}", path.display());
            (None, vec![Finding::fail("manifest", first, &mend)])
        }
    };
    findings.extend(examine(file.as_ref(), options.data_dir.as_deref()));
    output::listing(options.output, &["state", "check", "found", "mend"], &findings, row)?;
    match findings.iter().filter(|finding| finding.state == State::Fail).count() {
        0 => Ok(()),
        failed => Err(Error::Unwell(failed)),
    }
}

fn row(finding: &Finding) -> Vec<String> {
    let state = match finding.state {
        State::Ok => "ok",
        State::Warn => "warn",
        State::Fail => "fail",
    };
    let mend = finding.mend.clone().unwrap_or_default();
    vec![state.to_owned(), finding.check.clone(), finding.found.clone(), mend]
}
