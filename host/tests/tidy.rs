//! The repository's own invariants: arrows between crates, error pages, manifests that parse.
//!
//! `make tidy` runs it and shows what it prints.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use wfh_event::ErrorCode;
use wfh_manifest::{Manifest, render};

/// Which crates of the workspace a crate may depend on. What is not listed is forbidden.
const ARROWS: &[(&str, &[&str])] = &[
    // L0: pure.
    ("wfh-event", &[]),
    ("wfh-pattern", &[]),
    ("wfh-manifest", &["wfh-event", "wfh-pattern"]),
    // L1: ports and policy.
    ("wfh-telemetry", &[]),
    ("wfh-store", &[]),
    ("wfh-invoke", &["wfh-event", "wfh-store", "wfh-telemetry"]),
    ("wfh-pull", &["wfh-event", "wfh-pattern", "wfh-store", "wfh-telemetry", "wfh-invoke"]),
    // L2: adapters, never on each other.
    ("wfh-engine", &["wfh-event", "wfh-manifest", "wfh-telemetry", "wfh-invoke"]),
    ("wfh-otel", &["wfh-telemetry"]),
    ("wfh-store-embedded", &["wfh-store"]),
    ("wfh-store-redis", &["wfh-store"]),
    ("wfh-trigger-http", &["wfh-event", "wfh-manifest", "wfh-telemetry", "wfh-invoke"]),
    ("wfh-trigger-queue", &["wfh-event", "wfh-store", "wfh-invoke", "wfh-pull"]),
    ("wfh-trigger-kafka", &["wfh-event", "wfh-store", "wfh-invoke", "wfh-telemetry", "wfh-pull"]),
    ("wfh-trigger-redis", &["wfh-event", "wfh-store", "wfh-invoke", "wfh-telemetry", "wfh-pull"]),
    ("wfh-trigger-schedule", &["wfh-event", "wfh-store", "wfh-invoke"]),
    ("wfh-admin", &["wfh-event", "wfh-telemetry", "wfh-invoke"]),
    // L3: everything.
    (
        "wfh",
        &[
            "wfh-event",
            "wfh-manifest",
            "wfh-telemetry",
            "wfh-invoke",
            "wfh-store",
            "wfh-engine",
            "wfh-store-embedded",
            "wfh-store-redis",
            "wfh-pattern",
            "wfh-otel",
            "wfh-pull",
            "wfh-trigger-queue",
            "wfh-trigger-schedule",
            "wfh-trigger-kafka",
            "wfh-trigger-redis",
            "wfh-trigger-http",
            "wfh-admin",
        ],
    ),
    // What guests link. It knows the WIT, and nothing of the host.
    ("wfh-sdk", &["wfh-sdk-macros"]),
    ("wfh-sdk-macros", &[]),
    (
        "wfh-benches",
        &[
            "wfh-event",
            "wfh-telemetry",
            "wfh-store",
            "wfh-invoke",
            "wfh-engine",
            "wfh-otel",
            "wfh-store-embedded",
        ],
    ),
];

/// What the pure crates must not reach, not even through others.
const IMPURE: &[&str] = &["tokio", "wasmtime", "hyper", "socket2", "rustix"];

fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).exec().unwrap()
}

#[test]
fn crates_depend_only_downwards() {
    let metadata = metadata();
    let known: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    for package in metadata.workspace_packages() {
        let allowed = known.get(package.name.as_str()).unwrap_or_else(|| {
            panic!("{} is not in the table of arrows of host/tests/tidy.rs", package.name)
        });
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let ours = known.contains_key(name) && dependency.kind == DependencyKind::Normal;
            let from = &package.name;
            assert!(
                !ours || allowed.contains(name),
                "the arrow {from} -> {name} points the wrong way"
            );
        }
    }
}

#[test]
fn pure_crates_stay_pure() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        if !matches!(package.name.as_str(), "wfh-event" | "wfh-manifest" | "wfh-pattern") {
            continue;
        }
        for dependency in package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal) {
            let impure = IMPURE.contains(&dependency.name.as_str());
            assert!(!impure, "{} must not know {}", package.name, dependency.name);
        }
    }
}

/// The SDK carries its own copy, since authors may have nothing but its folder.
#[test]
fn the_sdk_carries_the_wit_of_this_tree() {
    for (ours, copy) in [
        ("wit/function.wit", "sdk/rust/wit/function/function.wit"),
        ("guest-examples/inspect/wit/config.wit", "sdk/rust/wit/config/config.wit"),
    ] {
        let read = |path| fs::read_to_string(root().join(path)).unwrap();
        assert!(read(ours) == read(copy), "{copy} is not {ours}: copy it");
    }
}

#[test]
fn outgoing_calls_cannot_fall_back_to_the_built_in_sender() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().unwrap();
    for node in &resolve.nodes {
        if node.id.repr.contains("wasmtime-wasi-http") {
            let on = node.features.iter().any(|feature| feature.as_str() == "default-send-request");
            assert!(!on, "some crate turns on wasmtime-wasi-http's default-send-request");
        }
    }
}

#[test]
fn every_error_code_has_its_page_and_every_page_its_code() {
    let directory = root().join("docs/errors");
    let mut pages: BTreeSet<String> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("WFH-"))
        .collect();
    for code in ErrorCode::ALL {
        let name = format!("{code}.md");
        let text = fs::read_to_string(directory.join(&name))
            .unwrap_or_else(|error| panic!("docs/errors/{name}: {error}"));
        let heading = format!("# {code}: {}", code.title());
        assert_eq!(
            text.lines().next(),
            Some(heading.as_str()),
            "the heading of docs/errors/{name}"
        );
        pages.remove(&name);
    }
    assert!(pages.is_empty(), "pages of codes that do not exist: {pages:?}");
}

#[test]
fn every_manifest_in_configs_and_docs_parses() {
    let mut manifests = Vec::new();
    let examples = files(&root().join("guest-examples"), "toml");
    let examples = examples.into_iter().filter(|path| path.ends_with("wfh.toml"));
    for path in files(&root().join("configs"), "toml").into_iter().chain(examples) {
        let text = fs::read_to_string(&path).unwrap();
        manifests.push((path.display().to_string(), text));
    }
    let documents = files(&root().join("docs"), "md");
    for path in documents.into_iter().chain([root().join("README.md")]) {
        let text = fs::read_to_string(&path).unwrap();
        for (index, block) in toml_blocks(&text).into_iter().enumerate() {
            manifests.push((format!("{} block {}", path.display(), index + 1), block));
        }
    }
    let map = fs::read_to_string(root().join("configs/kubernetes/configmap.yaml")).unwrap();
    let embedded = map.split_once("wfh.toml: |\n").expect("a manifest in the ConfigMap").1;
    let embedded = embedded.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    manifests.push(("configmap.yaml".to_owned(), embedded));
    assert!(manifests.len() > 3, "only {} manifests were found", manifests.len());
    // Any variable has a value: what is tested is the manifest, not this machine.
    let variable = |_: &str| Some("value".to_owned());
    for (name, text) in manifests {
        if let Err(errors) = Manifest::parse(&text, &variable) {
            let errors: Vec<String> = errors.iter().map(|e| render(e, &name, &text)).collect();
            panic!("a documented manifest does not parse:\n{}", errors.join("\n"));
        }
    }
}

/// Whole manifests of a page; a fragment is fenced as `toml,fragment`.
fn toml_blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match (&mut block, line.trim_end()) {
            (None, "```toml") => block = Some(String::new()),
            (Some(_), "```") => blocks.extend(block.take()),
            (Some(text), line) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    blocks
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "target" | ".git") {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Never fails: it shows where a split may be due.
#[test]
fn report_the_longest_files_and_functions() {
    let (mut lengths, mut functions) = (Vec::new(), Vec::new());
    for path in files(&root(), "rs") {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        lengths.push((text.lines().count(), name.clone()));
        functions
            .extend(function_lengths(&text).into_iter().map(|(n, f)| (n, format!("{name}: {f}"))));
    }
    for (title, mut rows) in [("files", lengths), ("functions", functions)] {
        rows.sort_by(|a, b| b.cmp(a));
        println!("longest {title}:");
        for (lines, name) in rows.into_iter().take(10) {
            println!("{lines:6}  {name}");
        }
    }
}

/// Lengths by indentation: a formatted function ends where its closing brace stands below its `fn`.
fn function_lengths(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let Some((_, rest)) = code.split_once("fn ") else {
            continue;
        };
        if code.starts_with("//") || code.ends_with(';') {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        let length = lines.iter().skip(start).position(|line| *line == closing);
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        found.extend(length.map(|length| (length + 1, name)));
    }
    found
}

/// Kubernetes' own objects are checked against the schemas of the API by `scripts/check-kubernetes`; of
/// what others define, the published names of the fields are held here.
const CUSTOM: &[(&str, &str, &[&str])] = &[
    (
        "ScaledObject",
        "keda.sh/v1alpha1",
        &["scaleTargetRef", "minReplicaCount", "maxReplicaCount", "triggers"],
    ),
    ("ServiceMonitor", "monitoring.coreos.com/v1", &["selector", "endpoints"]),
];

#[test]
fn custom_resources_have_the_fields_of_their_kind() {
    let folder = root().join("configs/kubernetes");
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let of = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap_or_default().trim().to_owned()
        };
        let kind = of("kind:");
        let Some((kind, api, fields)) = CUSTOM.iter().find(|(known, ..)| *known == kind) else {
            continue;
        };
        seen.insert(*kind);
        assert_eq!(of("apiVersion:"), *api, "{kind}");
        let spec = text.split("\nspec:\n").nth(1).unwrap();
        for line in spec.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
            let name = line.trim().split(':').next().unwrap();
            assert!(fields.contains(&name), "{kind} has no field {name}");
        }
    }
    assert_eq!(seen.len(), CUSTOM.len(), "a kind has no example: {seen:?}");
}

/// What the dashboard and the alerts ask for is what the host gives.
#[test]
fn dashboards_and_alerts_name_metrics_that_exist() {
    let known = |text: &str| text.replace('.', "_");
    let names = wfh_telemetry::metric::CONVENTIONAL.iter().chain(wfh_telemetry::metric::OWN);
    let names: BTreeSet<String> = names.map(|name| known(name)).collect();
    for file in ["dashboard.json", "alerts.yaml"] {
        let text = fs::read_to_string(root().join("configs/observability").join(file)).unwrap();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let words = text.split(|c| !is_word(c)).filter(|word| {
            ["faas_", "wfh_", "http_server_", "messaging_", "process_"]
                .iter()
                .any(|prefix| word.starts_with(prefix))
        });
        let mut asked = 0;
        for word in words {
            let is_label = ["faas_name", "wfh_target", "wfh_trigger_name"].contains(&word);
            let is_metric = names.iter().any(|name| word.starts_with(name.as_str()));
            asked += usize::from(is_metric);
            assert!(is_label || is_metric, "{file} asks for {word}, which the host does not give");
        }
        assert!(asked > 5, "{file} asks for {asked} metrics only");
    }
}
