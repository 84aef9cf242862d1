//! Reads, compiles and links the functions of a manifest, several at once.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use wfh_engine::{Engine, EngineError, Function, FunctionConfig};
use wfh_event::{ErrorCode, FunctionName};

use crate::error::Error;
use crate::manifest_file::ManifestFile;
use crate::progress::Compiling;
use crate::settings::{self, Secrets};

/// What a function was loaded from. As long as it is equal, loading again would give the same.
#[derive(Clone, PartialEq)]
pub(crate) struct Source {
    config: FunctionConfig,
    stamp: Stamp,
}

/// Tells a file from what takes its place later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
}

/// A function whose files were looked at.
pub(crate) struct Loaded {
    pub(crate) name: FunctionName,
    pub(crate) source: Source,
    /// `None` when nothing changed since `source` was loaded before.
    pub(crate) function: Option<Function>,
}

/// How to load.
pub(crate) struct Loading<'l> {
    pub(crate) engine: &'l Engine,
    pub(crate) file: &'l ManifestFile,
    pub(crate) secrets: Secrets,
    pub(crate) progress: Compiling,
}

impl Loading<'_> {
    /// Loads every function of which `is_current` does not hold, off the runtimes' threads. All
    /// errors are reported.
    pub(crate) fn all(
        &self,
        is_current: &(dyn Fn(&FunctionName, &Source) -> bool + Sync),
    ) -> Result<Vec<Loaded>, Error> {
        let names: Vec<&FunctionName> = self.file.manifest.functions.keys().collect();
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::new());
        let work = || {
            while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.progress.begins(name);
                let result = self.one(name, is_current);
                self.progress.ended(name, result.is_ok());
                results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.threads().min(names.len()) {
                scope.spawn(work);
            }
        });
        self.progress.done();
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (loaded, mut errors) = split(results);
        errors.sort();
        if errors.is_empty() { Ok(loaded) } else { Err(Error::Functions(errors)) }
    }

    fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let configured = self.file.manifest.engine.compile_threads;
        configured.map_or_else(cores, |threads| threads as usize)
    }

    fn one(
        &self,
        name: &FunctionName,
        is_current: &(dyn Fn(&FunctionName, &Source) -> bool + Sync),
    ) -> Result<Loaded, String> {
        let key = format!("function.{name}.component");
        let described = self.file.manifest.functions.get(name);
        let described = described.ok_or_else(|| format!("there is no function {name}"))?;
        let config = settings::function(self.file, name, described, self.secrets)
            .map_err(|error| error.to_string())?;
        let path = self.file.resolve(&described.component);
        let unreadable = |error: io::Error| {
            let hint = match (error.kind(), &described.build) {
                (io::ErrorKind::NotFound, Some(_)) => "; `wfh build` makes it",
                _ => "",
            };
            let message = format!("{}: {error}{hint}", path.display());
            format!("{}: {}", ErrorCode::FileUnreadable, self.file.error_at(&key, &message))
        };
        // Before the content: what replaces it meanwhile is seen as a change.
        let stamp = stamp(&path).map_err(unreadable)?;
        let source = Source { config, stamp };
        if is_current(name, &source) {
            return Ok(Loaded { name: name.clone(), source, function: None });
        }
        let wasm = std::fs::read(&path).map_err(unreadable)?;
        let refused = |error: EngineError| {
            let message = format!("{}: {error}", path.display());
            format!("{}: {}", error.code(), self.file.error_at(&key, &message))
        };
        let function = self.engine.load(source.config.clone(), &wasm).map_err(refused)?;
        Ok(Loaded { name: name.clone(), source, function: Some(function) })
    }
}

/// A pipe or a device might never end.
fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata: Metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(Stamp {
        file: (metadata.dev(), metadata.ino()),
        bytes: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    })
}

fn split(results: Vec<Result<Loaded, String>>) -> (Vec<Loaded>, Vec<String>) {
    let (mut loaded, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(function) => loaded.push(function),
            Err(error) => errors.push(error),
        }
    }
    (loaded, errors)
}
