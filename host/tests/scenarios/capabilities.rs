//! What functions are given beyond WASI, on the real store: state, sending, log records.

use tempfile::TempDir;

use crate::support::{Setup, eventually};

const GRANTS: &str = "allow.state = true\nallow.send = [\"queue:done\"]";

#[tokio::test]
async fn an_import_without_its_grant_is_refused_with_the_line_that_grants_it() {
    for (guest, settings, expected) in [
        (
            "event_probe",
            "",
            &[
                "wfh:function/state@0.1.0: needs `allow.state = true` under [function.f]",
                "wfh:function/publish@0.1.0: needs `allow.send = [",
            ][..],
        ),
        ("event_probe", "allow.state = true", &["wfh:function/publish@0.1.0: needs"]),
        ("keyvalue_counter", "", &["wasi:keyvalue/store@0.2.0-draft: needs `allow.state = true`"]),
    ] {
        let setup = || Setup::new().toml("[queue.done]").function("f", guest, settings);
        for ended in [setup().check().await, setup().serve_refused().await] {
            assert_eq!(ended.code, Some(1), "{guest} is not refused: {ended:?}");
            for part in expected.iter().chain(&["WFH-1005"]) {
                assert!(ended.stderr.contains(part), "no {part:?} in {}", ended.stderr);
            }
        }
    }
}

#[tokio::test]
async fn state_outlives_the_host() {
    let data = TempDir::new().unwrap();
    for expected in ["1\n", "2\n"] {
        let setup = Setup::new().data_dir(data.path());
        let host = setup.function("count", "keyvalue_counter", "allow.state = true").serve().await;
        let answer = host.get("/count").await;
        assert_eq!((answer.status, answer.text()), (200, expected.into()), "the count is lost");
    }
}

fn event<'a>(r#type: &'a str, id: &'a str) -> [(&'a str, &'a str); 5] {
    let source = ("ce-source", "/tests");
    [
        ("ce-specversion", "1.0"),
        ("ce-id", id),
        source,
        ("ce-type", r#type),
        ("ce-subject", "queue:done"),
    ]
}

#[tokio::test]
async fn what_is_sent_and_what_is_emitted_reaches_the_functions_of_its_queue() {
    let host = Setup::new()
        .toml("[queue.done]")
        .function("probe", "event_probe", GRANTS)
        .function("count", "keyvalue_counter", "allow.state = true")
        .toml("[[trigger.queue]]\nqueue = \"done\"\ntarget = \"function:count\"")
        .serve()
        .await;
    let sent = host.send("POST", "/probe", &event("send", "1"), "{}").await;
    assert_eq!(
        (sent.status, sent.json().as_str().map(str::len)),
        (200, Some(26)),
        "{}",
        sent.text()
    );
    let emitted = host.send("POST", "/probe", &event("emit", "2"), "{}").await;
    assert_eq!((emitted.status, emitted.text()), (200, "\"emitted\"".into()));
    let counted = async || host.get("/count?all=1").await.text();
    // An event is posted to `/`, so the counter has the empty name.
    eventually("both events are counted", async || counted().await == " 2\n").await;
    let seen = host.send("POST", "/probe", &event("get", "3"), r#"{"key": "counters/"}"#).await;
    assert_eq!(seen.json()[0], "2", "state and keyvalue are two: {}", seen.text());
}

#[tokio::test]
async fn a_log_record_of_a_guest_is_a_record_of_the_host() {
    let host = Setup::new().toml("[queue.done]").function("probe", "event_probe", GRANTS);
    let host = host.serve().await;
    let message = r#"{"message": "out of stock"}"#;
    let logged = host.send("POST", "/probe", &event("log", "1"), message).await;
    let id = logged.header("wfh-invocation-id").to_owned();
    host.says("out of stock").await;
    let said = host.stderr();
    let line = said.lines().find(|line| line.contains("out of stock")).unwrap();
    let record: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&record["level"], &record["guest_target"], &record["function"], &record["invocation"]),
        (&"WARN".into(), &"probe::orders".into(), &"probe".into(), &id.into()),
        "{line}"
    );
}
