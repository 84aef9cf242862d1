//! A guest sees what its manifest grants and nothing else: environment, files, sockets, secrets.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::{Host, Setup};

async fn inspect(host: &Host, query: &str) -> Value {
    host.get(&format!("/inspect?{query}")).await.json()
}

#[tokio::test]
async fn nothing_is_granted_by_default() {
    let host = Setup::new()
        .env("HOST_ONLY", "not for guests")
        .function("inspect", "inspect", "")
        .serve()
        .await;
    let seen =
        inspect(&host, "read=/etc/passwd&write=/tmp/x&connect=127.0.0.1:1&random=1&now=1").await;
    assert_eq!(seen["environment"], json!({}), "the host's environment shows: {seen}");
    assert_eq!(seen["arguments"], json!([]), "{seen}");
    assert_eq!(seen["preopens"], json!([]), "{seen}");
    assert_eq!(seen["config"], json!({}), "{seen}");
    for probe in ["read", "write", "connect"] {
        assert!(seen[probe]["error"].is_string(), "{probe} works without a grant: {seen}");
    }
    assert_eq!(seen["random"].as_str().map(str::len), Some(32), "{seen}");
    assert!(seen["now"].as_u64() > Some(1_700_000_000), "no clock: {seen}");
    let again = inspect(&host, "random=1").await;
    assert_ne!(seen["random"], again["random"], "two sandboxes draw the same numbers");
}

#[tokio::test]
async fn a_socket_is_denied_even_to_a_server_that_listens() {
    let upstream = crate::support::Upstream::start().await;
    let grant = "allow.http = [\"http://127.0.0.1:*\"]";
    let host = Setup::new().function("inspect", "inspect", grant).serve().await;
    let seen = inspect(&host, &format!("connect={}", upstream.address)).await;
    assert!(seen["connect"]["error"].is_string(), "a guest opens sockets: {seen}");
    assert_eq!(upstream.connections(), 0, "the denied connection reached the server");
}

#[tokio::test]
async fn env_and_config_are_what_the_manifest_says() {
    let settings =
        "env = { LEVEL = \"info\", FROM = \"${OUTSIDE}\" }\nconfig = { colour = \"red\" }";
    let host = Setup::new()
        .env("OUTSIDE", "expanded")
        .function("inspect", "inspect", settings)
        .function("other", "inspect", "")
        .serve()
        .await;
    let seen = inspect(&host, "").await;
    assert_eq!(seen["environment"], json!({ "LEVEL": "info", "FROM": "expanded" }), "{seen}");
    assert_eq!(seen["config"], json!({ "colour": "red" }), "{seen}");
    let other = host.get("/other").await.json();
    assert_eq!(other["environment"], json!({}), "one function's environment shows in another");
}

#[tokio::test]
async fn secrets_reach_the_guest_and_nobody_else() {
    let settings = "secret.API_KEY = { env = \"SHOP_KEY\" }\nsecret.DB = { file = \"secret.txt\" }";
    let host = Setup::new()
        .env("SHOP_KEY", "hunter2-env")
        .env("WFH_LOG", "trace")
        .file("secret.txt", "hunter2-file\n")
        .function("inspect", "inspect", settings)
        .serve()
        .await;
    let seen = inspect(&host, "").await;
    let expected = json!({ "API_KEY": "hunter2-env", "DB": "hunter2-file" });
    assert_eq!(seen["config"], expected, "{seen}");
    assert_eq!(seen["environment"], json!({}), "a secret shows in the environment: {seen}");
    let logged = host.stderr();
    assert!(!logged.contains("hunter2"), "a secret's value is in the log");

    for (settings, key) in [
        ("secret.API_KEY = { env = \"NOT_SET\" }", "function.inspect.secret.API_KEY"),
        ("secret.DB = { file = \"absent.txt\" }", "function.inspect.secret.DB"),
    ] {
        let setup = Setup::new().beside(&host).function("inspect", "inspect", settings);
        let ended = setup.serve_refused().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        for part in ["WFH-1010", key] {
            assert!(ended.stderr.contains(part), "no {part:?} in {}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn a_directory_is_a_wall() {
    let settings = "allow.files = [{ host = \"assets\", guest = \"/assets\" }, \
                    { host = \"scratch\", guest = \"/scratch\", write = true }]";
    let setup = Setup::new()
        .file("outside.txt", "outside")
        .file("assets/a.txt", "asset")
        .file("assets/deep/b.txt", "deep")
        .file("scratch/old.txt", "old")
        .function("inspect", "inspect", settings);
    for directory in ["assets", "scratch"] {
        let at = |name: &str| setup.path(directory).join(name);
        symlink(setup.path("outside.txt"), at("absolute")).unwrap();
        symlink("../outside.txt", at("relative")).unwrap();
        symlink("..", at("up")).unwrap();
        symlink("/", at("root")).unwrap();
    }
    symlink("a.txt", setup.path("assets/inside")).unwrap();
    let host = setup.serve().await;

    let seen = inspect(&host, "read=/assets/a.txt&write=/assets/a.txt").await;
    assert_eq!(seen["preopens"], json!(["/assets", "/scratch"]), "{seen}");
    assert_eq!(seen["read"], json!({ "content": "asset" }), "{seen}");
    assert!(seen["write"]["error"].is_string(), "a read-only directory is written: {seen}");
    assert_eq!(fs::read_to_string(host.path("assets/a.txt")).unwrap(), "asset");
    let linked = inspect(&host, "read=/assets/inside").await;
    assert_eq!(linked["read"], json!({ "content": "asset" }), "a link inside is a file: {linked}");

    for directory in ["assets", "scratch"] {
        for escape in [
            "absolute",
            "relative",
            "up/outside.txt",
            "root/etc/passwd",
            "../outside.txt",
            "deep/../../outside.txt",
            "../../../../../../etc/passwd",
            "up/up/up/etc/passwd",
        ] {
            let path = format!("/{directory}/{escape}");
            let seen = inspect(&host, &format!("read={path}&write={path}")).await;
            for probe in ["read", "write"] {
                assert!(seen[probe]["error"].is_string(), "{path} leads out ({probe}): {seen}");
            }
        }
    }
    let new = inspect(&host, "write=/scratch/new.txt&read=/scratch/old.txt").await;
    assert_eq!(new["write"], json!({ "written": true }), "{new}");
    assert_eq!(fs::read_to_string(host.path("scratch/new.txt")).unwrap(), "written by inspect\n");
    assert_eq!(
        fs::read_to_string(host.path("outside.txt")).unwrap(),
        "outside",
        "outside is written"
    );
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_refused() {
    let settings = "allow.files = [{ host = \"absent\", guest = \"/assets\" }]";
    let ended = Setup::new().function("inspect", "inspect", settings).serve_refused().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for part in ["WFH-1002", "absent"] {
        assert!(ended.stderr.contains(part), "no {part:?} in {}", ended.stderr);
    }
}
