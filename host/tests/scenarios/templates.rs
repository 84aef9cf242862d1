//! `wfh new`: each template builds, passes its own test, and answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{Setup, eventually, wfh};

/// Compiled dependencies of all projects made here, so that each costs seconds only.
pub(crate) fn warm() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("templates-build")
}

/// A shell command in a project, with what a reader of the README would have in his environment.
pub(crate) fn typed(directory: &Path, line: &str) -> Command {
    let binaries = Path::new(env!("CARGO_BIN_EXE_wfh")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["-euc", line]).current_dir(directory).env("PATH", path);
    for name in ["CARGO_TARGET_DIR", "RUST_LOG", "WFH_LOG", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    command.env("CARGO_BUILD_BUILD_DIR", warm());
    command
}

fn run(directory: &Path, line: &str) -> Output {
    let output = typed(directory, line).output().unwrap();
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    assert!(
        output.status.success(),
        "`{line}` fails: {}\n{}",
        String::from_utf8_lossy(stdout),
        String::from_utf8_lossy(stderr)
    );
    output
}

/// Makes, tests, builds and serves a project; asks it one thing.
async fn works(template: &str, test: &str, (method, path, body): (&str, &str, &str)) -> String {
    let setup = Setup::new();
    // A name of its own: in a build directory that projects share, a component's file is named after
    // its crate alone.
    let name = format!("my-{template}");
    run(&setup.path(""), &format!("wfh new {template} {name}"));
    let project = setup.path(&name);
    run(&project, test);
    run(&project, "wfh build");
    let host = setup.serves_folder(&name).serve().await;
    let headers = [("content-type", "application/json")];
    let answer = host.send(method, path, &headers, body).await;
    format!("{} {}", answer.status, answer.text())
}

#[tokio::test]
async fn http_rust_works() {
    let answer = works("http-rust", "cargo test", ("GET", "/", "")).await;
    assert_eq!(answer, "200 hello, world\n");
}

#[tokio::test]
async fn event_rust_works() {
    let order = r#"{"id": "a1", "quantity": 2, "price": 21}"#;
    let answer = works("event-rust", "cargo test", ("POST", "/orders", order)).await;
    assert_eq!(answer, r#"200 {"order":"a1","total":42}"#);
}

#[tokio::test]
async fn batch_rust_works() {
    let reading = r#"{"sensor": "a", "celsius": 21.5}"#;
    let answer = works("batch-rust", "cargo test", ("POST", "/readings", reading)).await;
    assert_eq!(answer, "204 ");
}

#[tokio::test]
async fn cron_rust_works() {
    let setup = Setup::new();
    run(&setup.path(""), "wfh new cron-rust my-cron");
    let project = setup.path("my-cron");
    run(&project, "cargo test && wfh build && wfh check");
    // Nobody waits a minute.
    let sooner = "sed -i 's/^cron = .*/every = \"1s\"/' wfh.toml";
    let serve = "timeout 6 wfh serve --listen 127.0.0.1:0 --admin 127.0.0.1:0";
    let served = typed(&project, &format!("{sooner} && {serve}")).output().unwrap();
    let stderr = String::from_utf8_lossy(&served.stderr);
    assert!(stderr.contains("swept"), "the schedule calls nobody: {stderr}");
}

#[tokio::test]
#[ignore = "needs npm; `make templates` runs it, and CI"]
async fn http_js_works() {
    let answer = works("http-js", "npm install && npm test", ("GET", "/", "")).await;
    assert_eq!(answer, "200 hello, world\n");
}

#[tokio::test]
#[ignore = "needs Python with venv; `make templates` runs it, and CI"]
async fn http_python_works() {
    let test = "python3 -m unittest";
    assert_eq!(works("http-python", test, ("GET", "/", "")).await, "200 hello, world\n");
}

#[tokio::test]
async fn the_list_names_every_template_and_what_it_needs() {
    let listed = wfh(&["new", "--list", "--output", "json"]).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let document: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let items = document["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["needs"].is_string() && item["makes"].is_string()));
    let names: Vec<&str> = items.iter().map(|item| item["name"].as_str().unwrap()).collect();
    for name in ["http-rust", "event-rust", "batch-rust", "http-js", "http-python"] {
        assert!(names.contains(&name), "{name} is not listed: {names:?}");
    }
    assert!(wfh(&["new", "--list"]).await.stdout.starts_with("TEMPLATE"));
}

#[tokio::test]
async fn nothing_is_ever_overwritten() {
    let setup = Setup::new().file("hello/precious", "mine").file("taken", "mine too");
    for name in ["hello", "taken"] {
        let refused = setup.run_here(&["new", "http-rust", name]).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        for part in [name, "there already"] {
            assert!(refused.stderr.contains(part), "no {part:?} in {}", refused.stderr);
        }
    }
    assert_eq!(fs::read_dir(setup.path("hello")).unwrap().count(), 1, "files were added");
    assert_eq!(fs::read_to_string(setup.path("taken")).unwrap(), "mine too");
}

#[tokio::test]
async fn what_is_no_template_or_no_name_is_wrong_usage() {
    let setup = Setup::new();
    for args in [
        &["new", "http-cobol", "hello"][..],
        &["new", "http-rust", "Hello"],
        &["new", "http-rust", "../hello"],
        &["new", "http-rust", "test"],
        &["new", "http-rust"],
    ] {
        let refused = setup.run_here(args).await;
        assert_eq!(refused.code, Some(2), "{args:?}: {refused:?}");
    }
    assert!(!setup.path("hello").exists());
}

#[tokio::test]
async fn a_checkouts_sdk_may_be_taken_instead() {
    let setup = Setup::new();
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/rust").canonicalize().unwrap();
    let made = setup.run_here(&["new", "http-rust", "hello", "--sdk", sdk.to_str().unwrap()]).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let manifest = fs::read_to_string(setup.path("hello/Cargo.toml")).unwrap();
    assert!(manifest.contains(sdk.to_str().unwrap()), "{manifest}");
    assert!(!setup.path("hello/.wfh-sdk").exists(), "a copy is made all the same");
    let refused = setup.run_here(&["new", "http-rust", "other", "--sdk", "."]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    eventually("a refused project leaves nothing", async || !setup.path("other").exists()).await;
}
