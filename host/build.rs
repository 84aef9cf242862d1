//! Embeds what `wfh new` writes: the templates, and the sources of the Rust SDK, so that a plain
//! binary can make a project that builds.
#![allow(clippy::expect_used, clippy::panic, reason = "a build that cannot go on says so")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Of the SDK's folder, what its crates are built from.
const SDK_PARTS: &[&str] =
    &["rust/Cargo.toml", "rust/README.md", "rust/src", "rust/wit", "rust/macros"];

fn main() {
    let host = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it"));
    let root = host.join("..");
    let templates = listed(&host.join("templates"), &["."]);
    let sdk = listed(&root.join("sdk"), SDK_PARTS);
    let workspace = sdk_workspace(&root, &sdk);
    let code = format!(
        "const TEMPLATE_FILES: &[(&str, &str)] = &[\n{}];\n\
         const SDK_FILES: &[(&str, &str)] = &[\n    (\"Cargo.toml\", {workspace:?}),\n{}];\n",
        included(&templates),
        included(&sdk)
    );
    fs::write(out.join("embedded.rs"), code).expect("OUT_DIR can be written");
}

/// The files below `parts` of a folder, by path in it.
fn listed(folder: &Path, parts: &[&str]) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    for part in parts {
        println!("cargo::rerun-if-changed={}", folder.join(part).display());
        collect(&folder.join(part), &mut files);
    }
    let folder = fs::canonicalize(folder).expect("the folder is there");
    let mut named: Vec<(String, PathBuf)> = files
        .into_iter()
        .map(|path| fs::canonicalize(path).expect("the file is there"))
        .map(|path| (path.strip_prefix(&folder).expect("below").display().to_string(), path))
        .collect();
    named.sort();
    named
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_file() {
        return files.push(path.to_owned());
    }
    for entry in fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
        collect(&entry.expect("the entry can be read").path(), files);
    }
}

fn included(files: &[(String, PathBuf)]) -> String {
    files.iter().fold(String::new(), |mut code, (name, path)| {
        let _ = writeln!(code, "    ({name:?}, include_str!({:?})),", path.display().to_string());
        code
    })
}

/// A workspace for the SDK alone: of ours, what its crates inherit.
fn sdk_workspace(root: &Path, sdk: &[(String, PathBuf)]) -> String {
    let ours = root.join("Cargo.toml");
    println!("cargo::rerun-if-changed={}", ours.display());
    let ours = fs::read_to_string(ours).expect("the workspace has a Cargo.toml");
    let manifests = sdk.iter().filter(|(name, _)| name.ends_with("Cargo.toml"));
    let inherited: String =
        manifests.map(|(_, path)| fs::read_to_string(path).expect("it was listed")).collect();
    let is_used = |name: &str| {
        let mut lines = inherited.lines();
        lines.any(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['.', ' ']) && rest.contains("workspace"))
        })
    };
    let mut section = "";
    let mut text =
        "[workspace]\nresolver = \"3\"\nmembers = [\"rust\", \"rust/macros\"]\n".to_owned();
    for line in ours.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if line.starts_with('[') {
            section = line;
        }
        let name = line.split([' ', '=']).next().unwrap_or_default();
        let wanted = match section {
            "[workspace.dependencies]" => line == section || is_used(name),
            _ => section == "[workspace.package]" || section.starts_with("[workspace.lints."),
        };
        if wanted {
            let _ = writeln!(text, "{}", line.replace("\"sdk/rust/macros\"", "\"rust/macros\""));
        }
    }
    text
}
