//! What a command last built from: one file a command in the data directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The file of a command. Its name holds the directory too: data directories may be shared.
pub(crate) fn path(data_dir: &Path, directory: &Path, command: &str) -> PathBuf {
    let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let mut hasher = Sha256::new();
    hasher.update(directory.as_os_str().as_encoded_bytes());
    hasher.update([0]);
    hasher.update(command);
    data_dir.join("build").join(hex(&hasher.finalize()))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of the sources with which a command last succeeded.
pub(crate) struct Record<'p>(&'p Path);

impl<'p> Record<'p> {
    pub(crate) fn new(path: &'p Path) -> Self {
        Self(path)
    }

    /// Whether it holds this digest. One that cannot be read holds none.
    pub(crate) fn is(&self, digest: &str) -> bool {
        fs::read_to_string(self.0).is_ok_and(|recorded| recorded == digest)
    }

    /// Replaces it.
    pub(crate) fn write(&self, digest: &str) -> io::Result<()> {
        if let Some(parent) = self.0.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(self.0, digest)
    }
}
