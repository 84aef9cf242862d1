//! Large values, each in a file named by its SHA-256.
//!
//! A file is whole on disk before the commit that refers to it, and goes after the commit that drops
//! the last reference. Between the two a [`Pinned`] keeps it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Values above this go to files.
pub(crate) const INLINE_BYTES_MAX: usize = 64 << 10;

/// A file's name.
pub(crate) type Hash = [u8; 32];

/// The files of a store.
pub(crate) struct Files {
    directory: PathBuf,
    held: Mutex<Held>,
    temporary: AtomicU64,
}

#[derive(Default)]
struct Held {
    pins: HashMap<Hash, usize>,
    /// Was pinned by a commit that may not have come to pass.
    unsure: Vec<Hash>,
}

/// Keeps a file until its commit is over.
pub(crate) struct Pinned {
    pub(crate) hash: Hash,
    pub(crate) bytes: usize,
    files: Arc<Files>,
}

impl Files {
    /// The files below `directory`, which is made.
    pub(crate) fn open(directory: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        Ok(Self { directory, held: Mutex::default(), temporary: AtomicU64::new(0) })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn path(&self, hash: &Hash) -> PathBuf {
        let name = hex(hash);
        let (shelf, rest) = name.split_at(2);
        self.directory.join(shelf).join(rest)
    }

    /// Writes a file, unless it is there. When this returns it survives a power cut.
    pub(crate) fn write(self: &Arc<Self>, bytes: &[u8]) -> io::Result<Pinned> {
        let hash: Hash = Sha256::digest(bytes).into();
        *self.lock().pins.entry(hash).or_default() += 1;
        let pinned = Pinned { hash, bytes: bytes.len(), files: Arc::clone(self) };
        let path = self.path(&hash);
        let shelf = path.parent().unwrap_or(&self.directory);
        if !shelf.is_dir() {
            fs::create_dir_all(shelf)?;
            sync_directory(&self.directory)?;
        }
        if !path.exists() {
            self.write_new(&path, shelf, bytes)?;
        }
        // Also when it was there: whoever renamed it may not have come this far.
        sync_directory(shelf)?;
        Ok(pinned)
    }

    fn write_new(&self, path: &Path, shelf: &Path, bytes: &[u8]) -> io::Result<()> {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = shelf.join(format!("new-{number}"));
        let written = File::create(&temporary).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        let renamed = written.and_then(|()| fs::rename(&temporary, path));
        if renamed.is_err() {
            // What is left of it would be swept at the next open.
            let _ = fs::remove_file(&temporary);
        }
        renamed
    }

    /// A file's bytes, which are what its name says.
    pub(crate) fn read(&self, hash: &Hash) -> io::Result<Bytes> {
        let bytes = fs::read(self.path(hash))?;
        if Hash::from(Sha256::digest(&bytes)) != *hash {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is damaged"));
        }
        Ok(bytes.into())
    }

    /// Removes a file to which no row refers, unless a commit that will is on its way.
    pub(crate) fn remove(&self, hash: &Hash) {
        let mut held = self.lock();
        if held.pins.contains_key(hash) {
            held.unsure.push(*hash);
        } else {
            // One that cannot be removed now is swept at the next open.
            let _ = fs::remove_file(self.path(hash));
        }
    }

    /// The files that may have no reference.
    pub(crate) fn take_unsure(&self) -> Vec<Hash> {
        std::mem::take(&mut self.lock().unsure)
    }

    /// Removes what is not `known`, as a crash leaves it.
    pub(crate) fn sweep(&self, known: impl Fn(&str) -> bool) -> io::Result<()> {
        for shelf in fs::read_dir(&self.directory)? {
            let shelf = shelf?;
            if !shelf.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(shelf.path())? {
                let file = file?;
                let (first, rest) = (shelf.file_name(), file.file_name());
                if !known(&format!("{}{}", first.to_string_lossy(), rest.to_string_lossy())) {
                    fs::remove_file(file.path())?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut held = self.files.lock();
        if let Some(count) = held.pins.get_mut(&self.hash) {
            *count -= 1;
            if *count == 0 {
                held.pins.remove(&self.hash);
                held.unsure.push(self.hash);
            }
        }
    }
}

/// Makes a rename in a directory survive a power cut.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// A name of 64 digits.
pub(crate) fn hex(hash: &Hash) -> String {
    use std::fmt::Write as _;
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
