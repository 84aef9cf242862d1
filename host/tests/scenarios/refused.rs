//! Manifests that cannot be meant are refused with file, line, key, value and what was expected.

use crate::support::{Ended, Setup};

const APP: &str = "[app]\nname = \"shop\"\n";
const FUNCTION: &str = "[function.f]\ncomponent = \"f.wasm\"\n";

/// What is behind the app and a function `f`, or the whole where it begins with `[app]` or `!`;
/// then what must be said.
const CASES: &[(&str, &[&str])] = &[
    ("timeout = \"5x\"", &["wfh.toml:5:11", "function.f.timeout", "\"5x\"", "such as \"5s\""]),
    ("timeout = 5", &["wfh.toml:5:11", "function.f.timeout", "with a unit"]),
    ("timeout = \"20m\"", &["wfh.toml:5:11", "out of bounds", "\"15m\""]),
    ("timeout = \"-1s\"", &["wfh.toml:5:11", "negative"]),
    ("timout = \"5s\"", &["wfh.toml:5:1", "unknown key", "did you mean \"timeout\""]),
    ("memory = \"64\"", &["wfh.toml:5:10", "function.f.memory", "did you mean \"64MiB\""]),
    ("memory = \"8GiB\"", &["wfh.toml:5:10", "\"4GiB\""]),
    ("memory = true", &["wfh.toml:5:10", "function.f.memory"]),
    ("concurrency = 0", &["wfh.toml:5:15", "function.f.concurrency", "from 1"]),
    ("concurrency = \"64\"", &["wfh.toml:5:15", "string", "whole number"]),
    ("reuse = 0", &["wfh.toml:5:9", "function.f.reuse"]),
    ("reuse_concurrency = 2", &["wfh.toml:5:21", "more than `reuse`"]),
    ("init = \"strct\"", &["wfh.toml:5:8", "`lenient`", "did you mean \"strict\""]),
    ("log_bytes_max = \"much\"", &["wfh.toml:5:17", "function.f.log_bytes_max"]),
    ("env = { \"A=B\" = \"c\" }", &["wfh.toml:5", "function.f.env"]),
    ("env = [\"A\"]", &["wfh.toml:5:7", "function.f.env"]),
    (
        "allow.http = [\"example.com\"]",
        &["wfh.toml:5:15", "allow.http[0]", "\"https://example.com\""],
    ),
    ("allow.http = [\"ftp://example.com\"]", &["wfh.toml:5:15", "http://"]),
    ("allow.http = [\"https://example.com/path\"]", &["wfh.toml:5:15", "scheme, host and port"]),
    ("allow.http = [\"https://api.*.com\"]", &["wfh.toml:5:15", "api.*.com"]),
    ("allow.htpp = []", &["wfh.toml:5:7", "unknown key", "did you mean \"http\""]),
    ("allow.files = [{ host = \"a\", guest = \"b\" }]", &["wfh.toml:5", "guest", "absolute"]),
    ("allow.files = [{ guest = \"/b\" }]", &["wfh.toml:5", "host", "required"]),
    ("allow.invoke = [\"function:tax\"]", &["wfh.toml:5:17", "no function `tax`"]),
    ("allow.invoke = [\"g\"]", &["wfh.toml:5:17", "function:NAME"]),
    ("secret.A = \"s3cr3t\"", &["wfh.toml:5:12", "function.f.secret.A"]),
    ("secret.A = {}", &["wfh.toml:5:12", "`env` and `file`"]),
    ("[[trigger.http]]\nroute = \"/a\"", &["trigger.http[0].target", "required"]),
    (
        "[[trigger.http]]\nroute = \"a\"\ntarget = \"function:f\"",
        &["wfh.toml:6:9", "trigger.http[0].route"],
    ),
    ("[[trigger.http]]\nroute = \"/{a}/{a}\"\ntarget = \"function:f\"", &["wfh.toml:6:9", "route"]),
    (
        "[[trigger.http]]\nroute = \"/{*rest}/x\"\ntarget = \"function:f\"",
        &["wfh.toml:6:9", "route"],
    ),
    (
        "[[trigger.http]]\nroute = \"/a\"\ntarget = \"function:ff\"",
        &["wfh.toml:7:10", "no function `ff`"],
    ),
    (
        "[[trigger.http]]\nroute = \"/a\"\ntarget = \"function:f\"\nmethods = [\"G T\"]",
        &["wfh.toml:8", "methods"],
    ),
    (
        "[[trigger.http]]\nroute = \"/a\"\ntarget = \"function:f\"\nmethods = []",
        &["wfh.toml:8", "methods"],
    ),
    (
        "[[trigger.http]]\nroute = \"/a/{x}\"\ntarget = \"function:f\"\n[[trigger.http]]\nroute = \"/a/{y}\"\ntarget = \"function:f\"",
        &["wfh.toml:9:9", "/a/{x}", "same requests"],
    ),
    ("[[trigger.htttp]]\nroute = \"/a\"", &["wfh.toml:5", "unknown key", "did you mean \"http\""]),
    ("[http]\nlisten = \"nowhere\"", &["wfh.toml:6:10", "http.listen"]),
    ("[http]\nidle_timeout = \"1us\"", &["wfh.toml:6:16", "http.idle_timeout"]),
    ("[http]\ntls = { cert = \"c.pem\" }", &["wfh.toml:6", "http.tls.key", "required"]),
    ("[http]\ntrusted_proxies = [\"10.0.0.0/33\"]", &["wfh.toml:6", "http.trusted_proxies[0]"]),
    ("[limits]\nhops_max = 256", &["wfh.toml:6:12", "limits.hops_max"]),
    ("[functions.g]", &["wfh.toml:5:2", "did you mean \"function\""]),
    ("[function.Big]\ncomponent = \"g.wasm\"", &["wfh.toml:5:11", "lower-case"]),
    ("[function.g]", &["wfh.toml:5", "function.g.component", "required"]),
    ("[function.f]\ncomponent = \"again.wasm\"", &["wfh.toml:5", "duplicate"]),
    ("timeout = ", &["wfh.toml:5:"]),
    ("timeout = \"5s", &["wfh.toml:5:"]),
    ("timeout = \"${NOT_SET_ANYWHERE}\"", &["wfh.toml:5:11", "NOT_SET_ANYWHERE"]),
    (
        "[app]\nname = \"My Shop\"\n[function.f]\ncomponent = \"f.wasm\"",
        &["wfh.toml:2:8", "app.name", "My Shop"],
    ),
    ("[app]\nname = \"shop\"", &["wfh.toml:1:1", "no function"]),
    ("!", &["wfh.toml:1:1", "app", "required", "no function"]),
];

fn manifest(case: &str) -> String {
    match case {
        "!" => String::new(),
        whole if whole.starts_with("[app]") => whole.to_owned(),
        part => format!("{APP}{FUNCTION}{part}\n"),
    }
}

fn says(ended: &Ended, case: &str, code: &str, parts: &[&str]) {
    assert_eq!(ended.code, Some(1), "accepted or crashed on {case:?}: {ended:?}");
    assert_eq!(ended.stdout, "", "{case:?}: standard output is for results");
    for part in parts.iter().chain([&code]) {
        assert!(ended.stderr.contains(part), "{case:?}: no {part:?} in {}", ended.stderr);
    }
}

#[tokio::test]
async fn check_names_the_place_the_key_and_what_was_expected() {
    assert!(CASES.len() >= 30);
    for (case, parts) in CASES {
        let ended = Setup::new().manifest(&manifest(case)).check().await;
        says(&ended, case, "WFH-1001", parts);
        assert!(!ended.stderr.contains("s3cr3t"), "a secret is printed: {}", ended.stderr);
    }
}

#[tokio::test]
async fn serve_refuses_what_check_refuses() {
    for (case, parts) in CASES.iter().step_by(5) {
        let ended = Setup::new().manifest(&manifest(case)).serve_refused().await;
        says(&ended, case, "WFH-1001", parts);
    }
}

#[tokio::test]
async fn all_errors_are_told_at_once() {
    let case = "timeout = \"5x\"\nmemory = \"64\"\nreuse = 0\ncolour = \"red\"\nallow.http = [\"a\", \"b\"]\n\
                [http]\nlisten = 1\n[[trigger.http]]\nroute = \"a\"\n[nothing]";
    let ended = Setup::new().manifest(&manifest(case)).check().await;
    let places = ["5:11", "6:10", "7:9", "8:1", "9:15", "9:20", "11:10", "12:1", "13:9", "14:2"];
    let places = places.map(|place| format!("wfh.toml:{place}: "));
    let parts: Vec<&str> = places.iter().map(String::as_str).chain(["10 errors"]).collect();
    says(&ended, case, "WFH-1001", &parts);
}

#[tokio::test]
async fn components_that_cannot_be_loaded_are_all_told_at_once() {
    let ended = Setup::new()
        .file("text.wasm", "text")
        .toml("[function.absent]\ncomponent = \"absent.wasm\"")
        .toml("[function.text]\ncomponent = \"text.wasm\"")
        .unrouted("no-export", "no_export", "")
        .check()
        .await;
    for part in
        ["function.absent.component", "function.text.component", "function.no-export.component"]
    {
        assert!(ended.stderr.contains(part), "no {part:?} in {}", ended.stderr);
    }
    says(&ended, "three bad components", "WFH-1003", &["WFH-1002", "WFH-1004", "wfh.toml:4:13"]);
}
