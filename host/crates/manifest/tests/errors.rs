//! Bad manifests and what is said about them: one block each in `data/errors.txt`.
//!
//! A block is its title behind `==`, the manifest, `--`, and every line expected. What each manifest
//! needs besides is appended, unless the title begins with `alone:`. After a deliberate change,
//! `WFH_BLESS=1 cargo test -p wfh-manifest --test errors` writes the file anew: review its diff.

// A test that fails by a panic fails as it should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write as _;

use wfh_manifest::{Manifest, render};

const CASES: &str = include_str!("data/errors.txt");
const REST: &str = "\n[app]\nname = \"shop\"\n[function.g]\ncomponent = \"g.wasm\"\n";

struct Case<'c> {
    title: &'c str,
    manifest: &'c str,
    expected: &'c str,
}

fn cases() -> Vec<Case<'static>> {
    let blocks = CASES.split("== ").skip(1);
    let case = |block: &'static str| {
        let (title, rest) = block.split_once('\n').expect("a title");
        let (manifest, expected) = rest.split_once("--\n").expect("a line `--`");
        Case { title, manifest, expected: expected.trim_end() }
    };
    blocks.map(case).collect()
}

fn said(case: &Case<'_>) -> String {
    let rest = if case.title.starts_with("alone:") { "" } else { REST };
    let text = format!("{}{rest}", case.manifest);
    let env = |name: &str| (name == "SECRET").then(|| "hunter2".to_owned());
    let errors = Manifest::parse(&text, &env).err().unwrap_or_default();
    let lines: Vec<_> = errors.iter().map(|error| render(error, "wfh.toml", &text)).collect();
    lines.join("\n")
}

#[test]
fn every_error_names_its_place_its_key_and_what_was_expected() {
    let cases = cases();
    if std::env::var_os("WFH_BLESS").is_some() {
        return bless(&cases);
    }
    for case in &cases {
        assert_eq!(said(case), case.expected, "what is said about: {}", case.title);
        assert!(!case.expected.is_empty(), "{} is accepted", case.title);
    }
    assert!(cases.len() >= 40, "{} cases only", cases.len());
}

fn bless(cases: &[Case<'_>]) {
    let mut text = String::new();
    for case in cases {
        let _ = write!(text, "== {}\n{}--\n{}\n\n", case.title, case.manifest, said(case));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/errors.txt");
    std::fs::write(path, text).expect("data/errors.txt can be written");
}

#[test]
fn an_expanded_value_is_never_shown() {
    for case in cases() {
        assert!(!said(&case).contains("hunter2"), "{} shows a variable's value", case.title);
    }
}
