//! Which command builds which functions out of which files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wfh_event::FunctionName;

use crate::build::record;
use crate::build::sources::Sources;
use crate::manifest_file::ManifestFile;

/// A command, run once for all functions that share it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) functions: Vec<FunctionName>,
    pub(crate) command: String,
    pub(crate) sources: Sources,
    /// Where it is kept what the command last built from.
    pub(crate) record_path: PathBuf,
    components: Vec<PathBuf>,
}

impl Job {
    /// The functions' names for a line.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.functions.iter().map(FunctionName::as_str).collect();
        names.join(", ")
    }

    /// A component that the command should have made and that is not there.
    pub(crate) fn missing_output(&self) -> Option<&Path> {
        self.components.iter().map(PathBuf::as_path).find(|path| !path.is_file())
    }
}

/// The jobs of a manifest, or one error for each glob that is none.
pub(crate) fn jobs(file: &ManifestFile, data_dir: &Path) -> Result<Vec<Job>, Vec<String>> {
    let mut by_command: BTreeMap<&str, Vec<&FunctionName>> = BTreeMap::new();
    for (name, function) in &file.manifest.functions {
        if let Some(build) = &function.build {
            by_command.entry(&build.command).or_default().push(name);
        }
    }
    let mut errors = Vec::new();
    let mut jobs = Vec::new();
    for (command, names) in by_command {
        match sources(file, data_dir, &names) {
            Ok(sources) => jobs.push(job(file, data_dir, command, &names, sources)),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(jobs) } else { Err(errors) }
}

fn job(
    file: &ManifestFile,
    data_dir: &Path,
    command: &str,
    names: &[&FunctionName],
    sources: Sources,
) -> Job {
    let functions = names.iter().filter_map(|name| file.manifest.functions.get(*name));
    Job {
        functions: names.iter().map(|name| (*name).clone()).collect(),
        command: command.to_owned(),
        sources,
        record_path: record::path(data_dir, &file.directory, command),
        components: functions.map(|function| file.resolve(&function.component)).collect(),
    }
}

/// The files of all these functions together. One that names none is built of everything beside
/// the manifest.
fn sources(
    file: &ManifestFile,
    data_dir: &Path,
    names: &[&FunctionName],
) -> Result<Sources, Vec<String>> {
    let mut sources = Sources::new(&file.directory);
    let mut errors = Vec::new();
    for name in names {
        let build = file.manifest.functions.get(*name).and_then(|function| function.build.as_ref());
        let globs = build.map(|build| build.watch.as_slice()).unwrap_or_default();
        if globs.is_empty() {
            sources.everything_but(not_sources(file, data_dir));
        }
        for (index, glob) in globs.iter().enumerate() {
            if let Err(reason) = sources.add(glob) {
                let key = format!("function.{name}.build.watch[{index}]");
                let place = file.error_at(&key, &format!("{glob:?} is not a glob: {reason}"));
                errors.push(format!("{}: {place}", wfh_event::ErrorCode::ManifestInvalid));
            }
        }
    }
    if errors.is_empty() { Ok(sources) } else { Err(errors) }
}

/// What lies beside the manifest and is not what a build is made of.
fn not_sources(file: &ManifestFile, data_dir: &Path) -> Vec<PathBuf> {
    let functions = file.manifest.functions.values();
    let components = functions.map(|function| file.resolve(&function.component));
    components.chain([file.path().to_owned(), data_dir.to_owned()]).collect()
}
