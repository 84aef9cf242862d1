//! Compiled components on disk: content-addressed, checked before use, bounded.

use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use wasmtime::Engine;

use crate::EngineError;

const EXTENSION: &str = "cwasm";
const MAGIC: &[u8; 8] = b"wfhcache";
const HEADER_BYTES: usize = MAGIC.len() + 32;

/// A directory of compiled components that belongs to this user.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    directory: PathBuf,
    bytes_max: u64,
}

impl Cache {
    /// Opens the directory, makes it if need be, and makes it private.
    pub(crate) fn open(directory: PathBuf, bytes_max: u64) -> Result<Self, EngineError> {
        let failed = |source| EngineError::Cache { path: directory.clone(), source };
        fs::create_dir_all(&directory).map_err(failed)?;
        let metadata = fs::metadata(&directory).map_err(failed)?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            let reason = "the cache directory belongs to another user";
            return Err(failed(io::Error::new(io::ErrorKind::PermissionDenied, reason)));
        }
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).map_err(failed)?;
        Ok(Self { directory, bytes_max })
    }

    /// The entry of a component, known by its digest, under an engine's settings.
    pub(crate) fn key(engine: &Engine, digest: &[u8], salt: &str) -> String {
        let mut hasher = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.0.update(salt.as_bytes());
        hasher.0.update(digest);
        hasher.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// An entry's content. One that is truncated, tampered with or somebody else's is removed and
    /// counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        let path = self.path(key);
        let mut file = File::open(&path).ok()?;
        match read_checked(&mut file) {
            Ok(content) => {
                // Marks the use; eviction takes the least recently used.
                let _ = file.set_modified(SystemTime::now());
                Some(content)
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cache entry replaced");
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Writes an entry: whole or not at all.
    pub(crate) fn put(&self, key: &str, content: &[u8]) -> io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let unique = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = self.directory.join(format!("{key}.{}.{unique}.tmp", std::process::id()));
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        let written =
            write_checked(&mut file, content).and_then(|()| fs::rename(&temporary, self.path(key)));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    /// Removes the least recently used entries beyond the bound.
    pub(crate) fn evict(&self) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_file() {
                entries.push((metadata.modified()?, metadata.len(), entry.path()));
            }
        }
        entries.sort_by_key(|(used, ..)| std::cmp::Reverse(*used));
        let mut total = 0_u64;
        for (_, bytes, path) in entries {
            total = total.saturating_add(bytes);
            if total > self.bytes_max {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn path(&self, key: &str) -> PathBuf {
        Path::new(&self.directory).join(key).with_extension(EXTENSION)
    }
}

fn write_checked(file: &mut File, content: &[u8]) -> io::Result<()> {
    file.write_all(MAGIC)?;
    file.write_all(&Sha256::digest(content))?;
    file.write_all(content)?;
    file.sync_all()
}

fn read_checked(file: &mut File) -> io::Result<Vec<u8>> {
    let invalid = |reason| io::Error::new(io::ErrorKind::InvalidData, reason);
    let metadata = file.metadata()?;
    if metadata.uid() != rustix::process::geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
        return Err(invalid("others may write it"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.read_to_end(&mut bytes)?;
    let (header, content) =
        bytes.split_at_checked(HEADER_BYTES).ok_or(invalid("it is truncated"))?;
    let (magic, checksum) = header.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(invalid("it is not a cache entry"));
    }
    if Sha256::digest(content).as_slice() != checksum {
        return Err(invalid("its checksum is wrong"));
    }
    bytes.drain(..HEADER_BYTES);
    Ok(bytes)
}

/// Lets `Hash` feed SHA-256: a key must not depend on a hasher's 64 bits.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests;
