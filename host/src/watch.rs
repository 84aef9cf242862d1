//! `--watch`: builds what changed and swaps it in, manifests too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use notify_debouncer_full::notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};

use crate::build::{Audience, Builder, Sources, jobs, located};
use crate::deploy::Deployment;
use crate::error::Error;
use crate::manifest_file::ManifestFile;

/// Editors and compilers write in several steps.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// Builds in a row, each begun because of what changed during the one before: the build itself may
/// be what changes it.
const BUILDS_IN_A_ROW_MAX: usize = 8;

/// Watches the manifest, its components and what they are built of.
pub(crate) struct Watcher {
    path: PathBuf,
    data_dir: PathBuf,
    debouncer: Debouncer<RecommendedWatcher, RecommendedCache>,
    interest: Arc<ArcSwap<Interest>>,
    /// Something of interest changed since it was last looked.
    changed: Receiver<()>,
    nudge: SyncSender<()>,
}

/// What matters when it changes.
#[derive(Debug, Default)]
struct Interest {
    files: BTreeSet<PathBuf>,
    sources: Vec<Sources>,
}

impl Interest {
    fn holds(&self, path: &Path) -> bool {
        self.files.contains(&located(path))
            || self.sources.iter().any(|sources| sources.may_hold(path))
    }

    /// A file that is replaced by a rename would be lost to a watch on the file itself.
    fn directories(&self) -> BTreeSet<PathBuf> {
        let beside = self.files.iter().filter_map(|file| file.parent()).map(Path::to_owned);
        beside.chain(self.sources.iter().flat_map(Sources::directories)).collect()
    }
}

impl Watcher {
    /// Begins to collect changes of what `file` names.
    pub(crate) fn new(path: &Path, file: &ManifestFile, data_dir: &Path) -> Result<Self, Error> {
        let (sender, changed) = sync_channel(1);
        let interest = Arc::new(ArcSwap::from_pointee(Interest::default()));
        let noticed = notice(Arc::clone(&interest), sender.clone());
        let debouncer = new_debouncer(DEBOUNCE, None, noticed).map_err(std::io::Error::other)?;
        let (path, data_dir) = (path.to_owned(), data_dir.to_owned());
        let mut watcher = Self { path, data_dir, debouncer, interest, changed, nudge: sender };
        watcher.watch(file);
        Ok(watcher)
    }

    /// Makes it look whether anything changed.
    pub(crate) fn nudge(&self) -> SyncSender<()> {
        self.nudge.clone()
    }

    /// Applies changes to `deployment`, in a thread of its own. What cannot be built or deployed is
    /// logged, and the old version goes on serving.
    pub(crate) fn run(
        mut self,
        mut deployment: Deployment,
        builder: Arc<Builder>,
    ) -> Result<(), Error> {
        let thread = std::thread::Builder::new().name("wfh-watch".to_owned());
        thread.spawn(move || {
            let mut in_a_row = 0;
            // The first time at once: something may have changed since the start read it.
            loop {
                let built = self.take_changes(&mut deployment, &builder);
                let ended = Instant::now();
                // What came meanwhile is taken at once, as one change.
                if self.changed.recv().is_err() {
                    return;
                }
                in_a_row = if built && ended.elapsed() < DEBOUNCE * 2 { in_a_row + 1 } else { 0 };
                if in_a_row >= BUILDS_IN_A_ROW_MAX {
                    in_a_row = 0;
                    if self.forget_changes().is_err() {
                        return;
                    }
                }
            }
        })?;
        Ok(())
    }

    /// Builds and deploys what changed. Says whether a command ran.
    fn take_changes(&mut self, deployment: &mut Deployment, builder: &Builder) -> bool {
        let file = match ManifestFile::read(&self.path) {
            Ok(file) => file,
            Err(error) => {
                deployment.change(Err(&error));
                return false;
            }
        };
        // Before anything is looked at: what appears in a directory that is new is not missed.
        self.watch(&file);
        let due = builder.is_due(&file);
        if due && let Err(error) = builder.run(&file, Audience::Log) {
            tracing::error!(%error, "build failed, the old version goes on serving");
        }
        deployment.change(Ok(&file));
        due
    }

    /// A build that changes what it is built of would go on for ever: waits for the next change.
    fn forget_changes(&self) -> Result<(), RecvError> {
        tracing::warn!(
            "the build changes files that it is watched for; say in build.watch what it is made of"
        );
        std::thread::sleep(DEBOUNCE * 2);
        while self.changed.try_recv().is_ok() {}
        self.changed.recv()
    }

    /// Watching a directory again costs nothing, and finds one that was made anew.
    fn watch(&mut self, file: &ManifestFile) {
        let components = file.manifest.functions.values();
        let components = components.map(|function| located(&file.resolve(&function.component)));
        let files = components.chain([located(&self.path)]).collect();
        // A glob that is none is told where the build begins.
        let jobs = jobs(file, &self.data_dir).unwrap_or_default();
        let interest =
            Interest { files, sources: jobs.into_iter().map(|job| job.sources).collect() };
        for directory in interest.directories() {
            if let Err(error) = self.debouncer.watch(&directory, RecursiveMode::NonRecursive) {
                tracing::warn!(directory = %directory.display(), %error, "changes there go unnoticed");
            }
        }
        self.interest.store(Arc::new(interest));
    }
}

/// One change waits at most: whoever takes it looks at everything.
fn notice(
    interest: Arc<ArcSwap<Interest>>,
    sender: SyncSender<()>,
) -> impl FnMut(DebounceEventResult) + Send + 'static {
    move |result| {
        let Ok(events) = result else { return };
        let interest = interest.load();
        let mut paths =
            events.iter().filter(|event| !event.kind.is_access()).flat_map(|event| &event.paths);
        if paths.any(|path| interest.holds(path)) {
            // A full channel says the same already; the receiver lives as long as the process.
            let _ = sender.try_send(());
        }
    }
}
