//! Broken projects: `wfh check` says of each what broken/NAME.toml ends with, word for word.
//!
//! A line `#! ...` is a line of standard error. Beside the manifest lie the files of [`project`].

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::{Setup, guest};

const PROJECTS_MIN: usize = 25;
/// A component that exports nothing.
const EMPTY: &str = "(component)";
/// A component that wants what only another host has.
const FOREIGN: &str = r#"(component
    (import "acme:db/sql@1.0.0" (instance (export "query" (func))))
    (instance $handler)
    (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#;

fn projects() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/broken");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn project(manifest: &str) -> Setup {
    let setup = Setup::new()
        .manifest(manifest)
        .file("assets/index.html", "")
        .file("text.wasm", "not WebAssembly")
        .file("module.wasm", wat::parse_str("(module)").unwrap())
        .file("truncated.wasm", &fs::read(guest("hello")).unwrap()[..1000])
        .file("empty.wasm", wat::parse_str(EMPTY).unwrap())
        .file("foreign.wasm", wat::parse_str(FOREIGN).unwrap())
        .file("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    symlink(guest("hello"), setup.path("hello.wasm")).unwrap();
    setup
}

#[tokio::test]
async fn check_says_of_each_what_is_documented() {
    let projects = projects();
    assert!(projects.len() >= PROJECTS_MIN, "only {} broken projects", projects.len());
    let mut differing = String::new();
    for path in projects {
        let manifest = fs::read_to_string(&path).unwrap();
        let expected: String = manifest
            .lines()
            .filter_map(|line| line.strip_prefix("#! "))
            .map(|line| format!("{line}\n"))
            .collect();
        let checked = project(&manifest).run_here(&["check"]).await;
        let name = path.file_stem().unwrap().display();
        assert_eq!((checked.code, checked.stdout.as_str()), (Some(1), ""), "{name}: {checked:?}");
        assert!(!checked.stderr.contains("hunter2"), "{name} prints a secret");
        if checked.stderr != expected {
            differing += &format!("{name}\n-- expected\n{expected}-- said\n{}\n", checked.stderr);
        }
    }
    assert!(differing.is_empty(), "{differing}");
}
