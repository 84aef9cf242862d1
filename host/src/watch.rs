//! `--watch`: swaps in components and manifests as their files change.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use notify_debouncer_full::notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};

use crate::deploy::Deployment;
use crate::error::Error;
use crate::manifest_file::ManifestFile;

/// Editors and compilers write in several steps.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// Watches the manifest and its components.
pub(crate) struct Watcher {
    path: PathBuf,
    debouncer: Debouncer<RecommendedWatcher, RecommendedCache>,
    changes: Receiver<DebounceEventResult>,
    /// The files whose change matters.
    files: BTreeSet<PathBuf>,
}

impl Watcher {
    /// Begins to collect changes.
    pub(crate) fn new(path: &Path) -> Result<Self, Error> {
        let (sender, changes) = mpsc::channel();
        let on_change = move |result: DebounceEventResult| {
            // The receiver lives as long as the process.
            let _ = sender.send(result);
        };
        let debouncer = new_debouncer(DEBOUNCE, None, on_change).map_err(std::io::Error::other)?;
        let files = BTreeSet::new();
        let mut watcher = Self { path: path.to_owned(), debouncer, changes, files };
        watcher.watch_files();
        Ok(watcher)
    }

    /// Applies changes to `deployment`, in a thread of its own. What cannot be deployed is logged,
    /// and the old version goes on serving.
    pub(crate) fn run(mut self, mut deployment: Deployment) -> Result<(), Error> {
        let thread = std::thread::Builder::new().name("wfh-watch".to_owned());
        thread.spawn(move || {
            while let Ok(change) = self.changes.recv() {
                if self.matters(change) {
                    redeploy(&self.path, &mut deployment);
                    self.watch_files();
                }
            }
        })?;
        Ok(())
    }

    fn matters(&self, change: DebounceEventResult) -> bool {
        let Ok(events) = change else { return false };
        events
            .iter()
            .filter(|event| !event.kind.is_access())
            .flat_map(|event| &event.paths)
            .any(|path| self.files.contains(&located(path)))
    }

    /// Watches the directories of the files: a file that is replaced by a rename would be lost to a
    /// watch on the file itself. A manifest that does not parse keeps the files it had.
    fn watch_files(&mut self) {
        let mut files = BTreeSet::from([located(&self.path)]);
        match ManifestFile::read(&self.path) {
            Ok(file) => files.extend(
                file.manifest
                    .functions
                    .values()
                    .map(|function| located(&file.resolve(&function.component))),
            ),
            Err(_) => files.append(&mut self.files),
        }
        let directories: BTreeSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
        for directory in directories {
            if let Err(error) = self.debouncer.watch(directory, RecursiveMode::NonRecursive) {
                tracing::warn!(directory = %directory.display(), %error, "changes there go unnoticed");
            }
        }
        self.files = files;
    }
}

fn redeploy(path: &Path, deployment: &mut Deployment) {
    let applied = ManifestFile::read(path).and_then(|file| deployment.apply(&file));
    match applied {
        Ok(()) => tracing::info!("change deployed"),
        Err(error) => tracing::error!(%error, "change refused, the old version goes on serving"),
    }
}

/// One spelling per file, whether or not it exists now: its directory resolved, its name as it is.
fn located(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or(OsStr::new(""));
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned()).join(name)
}
