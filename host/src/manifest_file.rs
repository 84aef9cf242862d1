//! Reads a manifest, or makes one for a bare component.

use std::io;
use std::path::{Path, PathBuf};

use wfh_manifest::{Diagnostic, Manifest, Parsed, render};

use crate::environment;
use crate::error::Error;

/// Nobody reads more at once.
const ERRORS_SHOWN_MAX: usize = 200;

/// A manifest and where it came from.
pub(crate) struct ManifestFile {
    pub(crate) manifest: Manifest,
    /// What relative paths are relative to.
    pub(crate) directory: PathBuf,
    /// Allowed, but probably not meant; rendered.
    pub(crate) warnings: Vec<String>,
    path: PathBuf,
    text: String,
    parsed: Parsed,
}

impl ManifestFile {
    /// Reads and validates. A path that ends in `.wasm` is a bare component.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        if path.extension().is_some_and(|extension| extension == "wasm") {
            return Self::bare(path);
        }
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::file(path, hinted(source)))?;
        let parsed = Manifest::parse(&text, &environment::variable)
            .map_err(|errors| Error::Manifest(rendered(&errors, path, &text)))?;
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Ok(Self::new(path, text, parsed, directory))
    }

    fn bare(path: &Path) -> Result<Self, Error> {
        let parsed = Manifest::single_component(path, None)
            .map_err(|errors| Error::Manifest(rendered(&errors, path, "")))?;
        Ok(Self::new(path, String::new(), parsed, PathBuf::from(".")))
    }

    fn new(path: &Path, text: String, parsed: Parsed, directory: PathBuf) -> Self {
        let warnings = rendered(&parsed.warnings, path, &text);
        let manifest = parsed.manifest.clone();
        Self { manifest, directory, warnings, path: path.to_owned(), text, parsed }
    }

    /// Whether it stands for a component without a manifest.
    pub(crate) fn is_bare(&self) -> bool {
        self.text.is_empty()
    }

    /// Where it was read.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// `--data-dir` of the command line, `serve.data_dir`, or `.wfh` beside the manifest.
    pub(crate) fn data_dir(&self, asked: Option<&Path>) -> PathBuf {
        match (asked, &self.manifest.serve.data_dir) {
            (Some(asked), _) => asked.to_owned(),
            (None, Some(configured)) => self.resolve(configured),
            (None, None) => self.resolve(Path::new(".wfh")),
        }
    }

    /// A path of the manifest, relative to its directory.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }

    /// Says of a key's value what only the host could find out.
    pub(crate) fn error_at(&self, key: &str, message: &str) -> String {
        if self.is_bare() {
            return message.to_owned();
        }
        render(&self.parsed.diagnostic(key, message), &self.path.display().to_string(), &self.text)
    }
}

/// What somebody most likely wanted who gave another path.
fn hinted(error: io::Error) -> io::Error {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "no such file; give a manifest or a component (.wasm)",
        io::ErrorKind::IsADirectory => {
            "a directory; give a manifest (wfh.toml) or a component (.wasm)"
        }
        io::ErrorKind::InvalidData => "not text; a manifest is TOML, and a component ends in .wasm",
        _ => return error,
    };
    io::Error::new(error.kind(), hint)
}

fn rendered(diagnostics: &[Diagnostic], path: &Path, text: &str) -> Vec<String> {
    let name = path.display().to_string();
    let shown = diagnostics.iter().take(ERRORS_SHOWN_MAX);
    let mut lines: Vec<String> = shown.map(|error| render(error, &name, text)).collect();
    if let Some(more) = diagnostics.len().checked_sub(ERRORS_SHOWN_MAX + 1) {
        lines.push(format!("{name}: and {} more", more + 1));
    }
    lines
}
