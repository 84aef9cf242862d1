//! What a machine must have to build and serve, and what mends what it lacks.

mod machine;
mod network;
mod tools;

use std::path::Path;

use serde::Serialize;

use crate::manifest_file::ManifestFile;

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// Works, but slower, or not for everything.
    Warn,
    /// Something that is needed does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) check: String,
    pub(crate) state: State,
    pub(crate) found: String,
    /// What to type to mend it.
    pub(crate) mend: Option<String>,
}

impl Finding {
    pub(crate) fn ok(check: &str, found: impl Into<String>) -> Self {
        Self { check: check.to_owned(), state: State::Ok, found: found.into(), mend: None }
    }

    pub(crate) fn warn(check: &str, found: impl Into<String>, mend: &str) -> Self {
        Self { state: State::Warn, mend: Some(mend.to_owned()), ..Self::ok(check, found) }
    }

    pub(crate) fn fail(check: &str, found: impl Into<String>, mend: &str) -> Self {
        Self { state: State::Fail, ..Self::warn(check, found, mend) }
    }

    /// A failure where it is needed, else a warning.
    fn lacking(is_needed: bool, check: &str, found: impl Into<String>, mend: &str) -> Self {
        match is_needed {
            true => Self::fail(check, found, mend),
            false => Self::warn(check, found, mend),
        }
    }
}

/// Looks at everything. Without a manifest, at what any would need.
pub(crate) fn examine(file: Option<&ManifestFile>, data_dir: Option<&Path>) -> Vec<Finding> {
    let mut findings = tools::examine(file);
    findings.extend(machine::examine(file, data_dir));
    findings.extend(network::examine(file));
    findings
}
