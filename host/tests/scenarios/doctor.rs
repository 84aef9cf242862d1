//! `wfh doctor`: what the machine lacks, and what mends it.

use std::net::TcpListener;

use crate::support::{Ended, Setup};

fn free_ports() -> String {
    "[http]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"".to_owned()
}

fn setup() -> Setup {
    Setup::new().unrouted("f", "hello", "").toml(&free_ports())
}

async fn findings(setup: &Setup) -> (Ended, Vec<serde_json::Value>) {
    let ended = setup.run_here(&["doctor", "--output", "json"]).await;
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let items = document["items"].as_array().unwrap().clone();
    (ended, items)
}

fn state<'i>(items: &'i [serde_json::Value], check: &str) -> &'i str {
    let found = items.iter().find(|item| item["check"] == check);
    found.map_or("absent", |item| item["state"].as_str().unwrap())
}

#[tokio::test]
async fn every_line_has_its_fields_and_a_mend_where_it_is_not_ok() {
    let (ended, items) = findings(&setup()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for check in ["manifest", "file descriptors", "address space", "data directory", "HTTP port"] {
        assert_ne!(state(&items, check), "absent", "{check} is not looked at");
    }
    for item in &items {
        assert!(item["found"].is_string(), "{item}");
        let ok = item["state"] == "ok";
        assert_eq!(item["mend"].is_null(), ok, "what is not well says what mends it: {item}");
    }
    let table = setup().run_here(&["doctor"]).await;
    assert!(table.stdout.starts_with("STATE"), "{table:?}");
}

#[tokio::test]
async fn only_the_tools_of_the_build_commands_are_needed() {
    let (_, items) = findings(&setup()).await;
    assert_eq!(state(&items, "rust toolchain"), "absent", "a component needs no compiler");
    let (_, items) =
        findings(&setup().toml("[function.f.build]\ncommand = \"true && cargo build\"")).await;
    assert_eq!(state(&items, "rust toolchain"), "ok", "{items:?}");
    assert_eq!(state(&items, "rust target"), "ok", "{items:?}");
    let python = setup().toml("[function.f.build]\ncommand = \"componentize-py x\"");
    let (ended, items) = findings(&python.env("PATH", "/nowhere")).await;
    assert_eq!((ended.code, state(&items, "componentize-py")), (Some(1), "fail"), "{items:?}");
    assert!(ended.stdout.contains("pip install componentize-py"), "{ended:?}");
}

#[tokio::test]
async fn a_taken_port_fails() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let setup = Setup::new()
        .unrouted("f", "hello", "")
        .toml(&format!("[http]\nlisten = \"{address}\"\n[admin]\nlisten = \"127.0.0.1:0\""));
    let (ended, items) = findings(&setup).await;
    assert_eq!((ended.code, state(&items, "HTTP port")), (Some(1), "fail"), "{items:?}");
    assert!(ended.stderr.contains("1 of what is needed"), "{ended:?}");
}

#[tokio::test]
async fn servers_that_the_manifest_uses_are_reached() {
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let (up, closed) = (listening.local_addr().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let down = closed.local_addr().unwrap();
    drop(closed);
    let setup = setup().toml(&format!(
        "[[trigger.redis]]\nstream = \"s\"\ntarget = \"function:f\"\nurl = \"redis://:pw-hunter2@{up}\"\n\
         [[trigger.kafka]]\ntopics = [\"t\"]\ntarget = \"function:f\"\nbrokers = \"{down}\""
    ));
    let (ended, items) = findings(&setup).await;
    assert_eq!((state(&items, "redis"), state(&items, "kafka")), ("ok", "fail"), "{items:?}");
    assert_eq!(ended.code, Some(1));
    assert!(!ended.stdout.contains("hunter2"), "a password is printed");
}

#[tokio::test]
async fn a_manifest_with_errors_is_one_of_the_things_that_fail() {
    let (ended, items) = findings(&Setup::new().manifest("[app")).await;
    assert_eq!((ended.code, state(&items, "manifest")), (Some(1), "fail"), "{items:?}");
}
