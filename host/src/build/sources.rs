//! The files that a component is built of: globs, their content's digest, what to watch.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use sha2::{Digest, Sha256};
use walkdir::{DirEntry, WalkDir};

use crate::build::record::hex;

/// More are hardly what somebody writes by hand.
const FILES_MAX: usize = 50_000;
/// Directories that tools fill; no glob looks into them unless it names them.
const SKIPPED: &[&str] = &["target", "node_modules", "__pycache__", ".git", ".wfh"];

/// The files that a component is built of.
#[derive(Debug)]
pub(crate) struct Sources {
    directory: PathBuf,
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    /// Where to look: all that a glob says before its first wildcard.
    base: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The base is the file.
    File,
    /// What matches, relative to the base.
    Glob(GlobMatcher),
    /// Everything that is not hidden, no log and not one of these.
    EverythingBut(BTreeSet<PathBuf>),
}

impl Sources {
    /// No file of `directory` yet.
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: canonical(directory), patterns: Vec::new() }
    }

    /// Everything beside the manifest, without what tools fill, hidden files, logs and `excluded`.
    pub(crate) fn everything_but(&mut self, excluded: Vec<PathBuf>) {
        let excluded = excluded.iter().map(|path| located(path)).collect();
        let kind = Kind::EverythingBut(excluded);
        self.patterns.push(Pattern { base: self.directory.clone(), kind });
    }

    /// What matches a glob; `*` stays within a directory, `**` does not.
    pub(crate) fn add(&mut self, glob: &str) -> Result<(), String> {
        let (fixed, rest) = split(glob);
        let base = canonical(&self.directory.join(fixed));
        let kind = match rest.is_empty() {
            true => Kind::File,
            false => Kind::Glob(
                GlobBuilder::new(&rest)
                    .literal_separator(true)
                    .build()
                    .map_err(|error| error.kind().to_string())?
                    .compile_matcher(),
            ),
        };
        self.patterns.push(Pattern { base, kind });
        Ok(())
    }

    /// Whether a change of this path may change what is built.
    pub(crate) fn may_hold(&self, path: &Path) -> bool {
        self.patterns.iter().any(|pattern| pattern.takes(path) || pattern.leads(path))
    }

    /// The directories in which changes matter.
    pub(crate) fn directories(&self) -> BTreeSet<PathBuf> {
        self.patterns.iter().flat_map(Pattern::directories).collect()
    }

    /// A digest of all paths and their contents.
    pub(crate) fn digest(&self) -> io::Result<String> {
        let mut files = BTreeMap::new();
        for path in self.patterns.iter().flat_map(Pattern::files).take(FILES_MAX + 1) {
            files.insert(path, ());
        }
        if files.len() > FILES_MAX {
            let reason = format!("more than {FILES_MAX} files; say in build.watch which ones");
            return Err(io::Error::other(reason));
        }
        let mut hasher = Sha256::new();
        for path in files.keys() {
            let Ok(content) = digest_file(path) else {
                // It went since it was listed.
                continue;
            };
            let relative = path.strip_prefix(&self.directory).unwrap_or(path);
            hasher.update(Sha256::digest(relative.as_os_str().as_encoded_bytes()));
            hasher.update(content);
        }
        Ok(hex(&hasher.finalize()))
    }
}

impl Pattern {
    fn takes(&self, path: &Path) -> bool {
        let Ok(relative) = path.strip_prefix(&self.base) else { return false };
        match &self.kind {
            Kind::File => relative.as_os_str().is_empty(),
            Kind::Glob(glob) => !is_skipped(relative) && glob.is_match(relative),
            Kind::EverythingBut(excluded) => !is_clutter(relative) && !excluded.contains(path),
        }
    }

    /// A directory on the way to files: one that appears may already hold some.
    fn leads(&self, path: &Path) -> bool {
        let below = path.strip_prefix(&self.base).is_ok_and(|relative| !self.hides(relative));
        (below || self.base.starts_with(path)) && path.is_dir()
    }

    fn hides(&self, relative: &Path) -> bool {
        match &self.kind {
            Kind::EverythingBut(excluded) => {
                is_clutter(relative) || excluded.contains(&self.base.join(relative))
            }
            Kind::File | Kind::Glob(_) => is_skipped(relative),
        }
    }

    fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.entries()
            .filter(|entry| !entry.file_type().is_dir() && self.takes(entry.path()))
            .filter(|entry| entry.path().is_file())
            .map(DirEntry::into_path)
    }

    fn directories(&self) -> BTreeSet<PathBuf> {
        if !self.base.is_dir() {
            return self
                .base
                .ancestors()
                .skip(1)
                .find(|path| path.is_dir())
                .map(PathBuf::from)
                .into_iter()
                .collect();
        }
        let directories = self.entries().filter(|entry| entry.file_type().is_dir());
        directories.take(FILES_MAX).map(DirEntry::into_path).collect()
    }

    fn entries(&self) -> impl Iterator<Item = DirEntry> {
        let relative = |entry: &DirEntry| entry.path().strip_prefix(&self.base).map(Path::to_owned);
        let kept = move |entry: &DirEntry| !relative(entry).is_ok_and(|path| self.hides(&path));
        WalkDir::new(&self.base).into_iter().filter_entry(kept).filter_map(Result::ok)
    }
}

fn names(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    })
}

fn is_skipped(relative: &Path) -> bool {
    names(relative).any(|name| SKIPPED.iter().any(|skipped| name == *skipped))
}

/// What nobody builds from: hidden files, backups of editors, logs (a host that logs beside its
/// manifest would otherwise build for each line it writes).
fn is_clutter(relative: &Path) -> bool {
    let clutter = |name: &OsStr| {
        let name = name.as_encoded_bytes();
        name.starts_with(b".") || name.ends_with(b"~") || name.ends_with(b".log")
    };
    is_skipped(relative) || names(relative).any(clutter)
}

/// A glob's directory without wildcards, and the rest; nothing is left of a plain path.
fn split(glob: &str) -> (PathBuf, String) {
    let is_wild = |part: &&str| part.contains(['*', '?', '[', ']', '{', '}', '!', '\\']);
    let parts: Vec<&str> = glob.split('/').collect();
    let fixed = parts.iter().take_while(|part| !is_wild(part)).count();
    let (fixed, rest) = parts.split_at_checked(fixed).unwrap_or_default();
    (PathBuf::from(fixed.join("/")), rest.join("/"))
}

fn digest_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize().to_vec())
}

/// A path as the kernel names it, as far as it exists.
fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| located(path))
}

/// One spelling per file, whether or not it exists now: its directory resolved, its name as it is.
pub(crate) fn located(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or(OsStr::new(""));
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned()).join(name)
}

#[cfg(test)]
mod tests;
