//! `--watch`: swaps in components and manifests as their files change.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use notify_debouncer_full::notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};

use crate::deploy::Deployment;
use crate::error::Error;
use crate::manifest_file::ManifestFile;

/// Editors and compilers write in several steps.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// Watches in a thread of its own, which keeps the deployment. What cannot be deployed is logged,
/// and the old version goes on serving.
pub(crate) fn start(
    path: PathBuf,
    directory: PathBuf,
    mut deployment: Deployment,
) -> Result<(), Error> {
    let (sender, changes) = mpsc::channel();
    let on_change = move |result: DebounceEventResult| {
        // The receiver lives as long as the process.
        let _ = sender.send(result);
    };
    let mut debouncer = new_debouncer(DEBOUNCE, None, on_change).map_err(std::io::Error::other)?;
    watch_files(&mut debouncer, &path, &directory);
    let thread = std::thread::Builder::new().name("wfh-watch".to_owned());
    thread.spawn(move || {
        for change in changes {
            let Ok(events) = change else { continue };
            let changed = events.iter().any(|event| !event.kind.is_access());
            if changed {
                redeploy(&path, &mut deployment);
                watch_files(&mut debouncer, &path, &directory);
            }
        }
    })?;
    Ok(())
}

fn redeploy(path: &Path, deployment: &mut Deployment) {
    let applied = ManifestFile::read(path).and_then(|file| deployment.apply(&file));
    match applied {
        Ok(()) => tracing::info!("change deployed"),
        Err(error) => tracing::error!(%error, "change refused, the old version goes on serving"),
    }
}

type Watcher = Debouncer<RecommendedWatcher, RecommendedCache>;

/// Watches the directories that hold the manifest and its components: a file that is replaced by a
/// rename would be lost to a watch on the file itself.
fn watch_files(debouncer: &mut Watcher, path: &Path, directory: &Path) {
    let mut directories = vec![parent(path)];
    if let Ok(file) = ManifestFile::read(path) {
        for function in file.manifest.functions.values() {
            directories.push(parent(&directory.join(&function.component)));
        }
    }
    directories.sort();
    directories.dedup();
    for directory in directories {
        if let Err(error) = debouncer.watch(&directory, RecursiveMode::NonRecursive) {
            tracing::warn!(directory = %directory.display(), %error, "changes there go unnoticed");
        }
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
