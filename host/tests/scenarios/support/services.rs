//! Servers that `scripts/services` starts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Some nodes of one kind. They stop when dropped, and at the latest when this process is gone.
pub(crate) struct Services {
    directory: String,
    said: HashMap<String, String>,
}

impl Services {
    /// Starts as many nodes of `kind`.
    pub(crate) fn up(kind: &str, nodes: usize) -> Self {
        Self::up_with(kind, &["--nodes", &nodes.to_string()])
    }

    /// Starts what the script takes with these options.
    pub(crate) fn up_with(kind: &str, options: &[&str]) -> Self {
        let owner = std::process::id().to_string();
        let said = run(&[&["up", kind, "--owner", &owner], options].concat());
        let pairs = said.lines().filter_map(|line| line.split_once('='));
        let said: HashMap<String, String> =
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Self { directory: said["dir"].clone(), said }
    }

    /// What was said of them.
    pub(crate) fn said(&self, key: &str) -> &str {
        &self.said[key]
    }

    /// Kills, starts, pauses or resumes one node.
    pub(crate) fn node(&self, verb: &str, node: usize) {
        run(&[verb, &self.directory, &node.to_string()]);
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        run(&["down", &self.directory]);
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/services")
}

fn run(arguments: &[&str]) -> String {
    let output = Command::new(script()).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/services {arguments:?} failed: {told}");
    String::from_utf8(output.stdout).unwrap()
}
