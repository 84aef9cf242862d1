//! `wfh invoke` and `wfh functions`: the answer on standard output, all else on standard error.

use crate::support::{Setup, eventually, guest, wfh};

#[tokio::test]
async fn an_event_function_gets_the_payload_as_its_event() {
    let host = Setup::new().function("echo", "event_echo", "").serve().await;
    let echoed = host.verb(&["invoke", "echo", "--data", r#"{"a":1}"#]).await;
    assert_eq!((echoed.code, echoed.stdout.as_str()), (Some(0), r#"{"a":1}"#), "{echoed:?}");
    assert!(echoed.stderr.contains("200 OK in "), "{echoed:?}");
    let headers = ["--header", "ce-specversion: 1.0", "--header", "ce-id: 7", "--header"];
    let event = [&headers[..], &["ce-source: /s", "--header", "ce-type: attributes"]].concat();
    let described = host.verb(&[&["invoke", "echo"], &event[..]].concat()).await;
    let delivery: serde_json::Value = serde_json::from_str(&described.stdout).unwrap();
    assert_eq!((&delivery["id"], &delivery["source"]), (&"7".into(), &"/s".into()), "{delivery}");
    assert!(described.stderr.contains(delivery["invocation-id"].as_str().unwrap()));
    let rejected = [&event[..4], &["--header", "ce-source: /s", "--header", "ce-type: reject"]];
    let rejected = host.verb(&[&["invoke", "echo"], &rejected.concat()[..]].concat()).await;
    assert_eq!((rejected.code, rejected.stdout.as_str()), (Some(1), ""), "{rejected:?}");
    for part in ["WFH-2002", "no", "invocation"] {
        assert!(rejected.stderr.contains(part), "no {part:?} in {rejected:?}");
    }
}

#[tokio::test]
async fn an_http_function_gets_a_request_of_choice() {
    let host = Setup::new().function("inspect", "inspect", "").serve().await;
    let asked = host
        .verb(&[
            "invoke",
            "inspect",
            "--method",
            "PUT",
            "--path",
            "/a/b?c=d",
            "--header",
            "x-own: 1",
            "--header",
            "authorization: Bearer its-own",
            "--token",
            "admins",
        ])
        .await;
    assert_eq!(asked.code, Some(0), "{asked:?}");
    let report: serde_json::Value = serde_json::from_str(&asked.stdout).unwrap();
    assert_eq!(
        (&report["method"], &report["path-with-query"]),
        (&"PUT".into(), &"/a/b?c=d".into())
    );
    let headers = report["headers"].to_string();
    assert!(headers.contains("its-own") && headers.contains("x-own"), "{headers}");
    assert!(!headers.contains("admins"), "the function sees the admin token: {headers}");
}

#[tokio::test]
async fn data_comes_from_a_file_or_standard_input() {
    let setup = Setup::new().function("echo", "event_echo", "").file("payload", [0, 255, 10]);
    let host = setup.serve().await;
    let file = format!("@{}", host.path("payload").display());
    let admin = format!("http://{}", host.admin());
    let run = |data: String, admin: String| {
        std::process::Command::new(env!("CARGO_BIN_EXE_wfh"))
            .args(["invoke", "echo", "--admin", &admin, "--data", &data])
            .stdin(std::fs::File::open(host.path("payload")).unwrap())
            .output()
            .unwrap()
    };
    for data in [file, "-".to_owned()] {
        let ended = run(data.clone(), admin.clone());
        assert_eq!(ended.stdout, [0, 255, 10], "{data}: {ended:?}");
    }
    let missing = host.verb(&["invoke", "echo", "--data", "@/nowhere"]).await;
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.stderr.contains("WFH-1002"), "{missing:?}");
}

#[tokio::test]
async fn what_a_function_prints_comes_on_standard_error() {
    let setup = Setup::new().function("panic", "panic", "").function("hello", "hello", "");
    let host = setup.serve().await;
    let failed = host.verb(&["invoke", "panic"]).await;
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{failed:?}");
    for part in ["WFH-2004", "panicked at", "class=trap"] {
        assert!(failed.stderr.contains(part), "no {part:?} in {}", failed.stderr);
    }
}

#[tokio::test]
async fn a_host_that_is_not_there_and_a_function_that_is_not_there() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ended = wfh(&["invoke", "hello", "--admin", &format!("http://{free}")]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("WFH-4007"), "{ended:?}");
    let host = Setup::new().function("hello", "hello", "").serve().await;
    let ended = host.verb(&["invoke", "nobody"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("WFH-4004"), "{ended:?}");
    let accepted = host.verb(&["invoke", "hello", "--async"]).await;
    assert_eq!((accepted.code, accepted.stdout.trim().len()), (Some(0), 26), "{accepted:?}");
    for args in [&["invoke", "UPPER"][..], &["invoke", "a", "--header", "no-colon"], &["invoke"]] {
        assert_eq!(wfh(args).await.code, Some(2), "{args:?}");
    }
}

#[tokio::test]
async fn local_needs_no_host() {
    let component = guest("event_echo");
    let component = component.to_str().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let manifest = directory.path().join("wfh.toml");
    let text = format!(
        "[app]\nname = \"a\"\n[function.echo]\ncomponent = {component:?}\n\
         [function.broken]\ncomponent = \"not-there.wasm\"\n\
         [[trigger.http]]\nroute = \"/\"\ntarget = \"function:broken\"\n"
    );
    std::fs::write(&manifest, text).unwrap();
    let manifest = manifest.to_str().unwrap();
    let local = ["--local", "--manifest", manifest];
    let echoed = wfh(&[&["invoke", "echo", "--data", "hi"], &local[..]].concat()).await;
    assert_eq!((echoed.code, echoed.stdout.as_str()), (Some(0), "hi"), "{echoed:?}");
    let unknown = wfh(&[&["invoke", "nobody"], &local[..]].concat()).await;
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.stderr.contains("there are: broken, echo"), "{unknown:?}");
    let panic = guest("panic");
    let bare = ["invoke", "panic", "--local", "--manifest", panic.to_str().unwrap()];
    let failed = wfh(&bare).await;
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{failed:?}");
    for part in ["WFH-2004", "panicked at"] {
        assert!(failed.stderr.contains(part), "no {part:?} in {failed:?}");
    }
    // A bare component keeps its cache in the current directory.
    let _ = std::fs::remove_dir_all(".wfh");
}

#[tokio::test]
async fn functions_are_listed_for_people_and_for_programs() {
    let host = Setup::new().function("hello", "hello", "reuse = 3").serve().await;
    host.get("/hello").await;
    let table = host.verb(&["functions"]).await;
    assert_eq!((table.code, table.stderr.as_str()), (Some(0), ""), "{table:?}");
    let mut lines = table.stdout.lines();
    assert!(lines.next().unwrap().starts_with("NAME"), "{}", table.stdout);
    let row: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!((row[0], row[1], row[2]), ("hello", "ready", "http"), "{row:?}");
    assert!(row.contains(&"128MiB") && row.contains(&"30s") && row.contains(&"3"), "{row:?}");
    let listed = host.verb(&["functions", "--output", "json"]).await;
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed["items"][0]["name"], "hello");
    eventually("the call is counted", async || {
        host.admin_get("/v1/functions/hello").await.json()["calls"] == 1
    })
    .await;
}
