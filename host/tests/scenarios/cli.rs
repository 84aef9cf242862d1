//! The command line: results on standard output, the rest on standard error, exit codes.

use crate::support::{Setup, guest, wfh};

#[tokio::test]
async fn version_and_help_say_what_this_is() {
    let version = wfh(&["--version"]).await;
    assert_eq!((version.code, version.stderr.as_str()), (Some(0), ""));
    assert_eq!(version.stdout.trim(), format!("wfh {}", env!("CARGO_PKG_VERSION")));
    let help = wfh(&["--help"]).await;
    assert_eq!(help.code, Some(0));
    for command in ["serve", "check", "schema"] {
        assert!(help.stdout.contains(command), "help forgets {command}: {}", help.stdout);
    }
    let serve = wfh(&["serve", "--help"]).await;
    for option in ["--listen", "--admin", "--data-dir", "--watch"] {
        assert!(serve.stdout.contains(option), "help forgets {option}: {}", serve.stdout);
    }
}

#[tokio::test]
async fn the_schema_is_json() {
    let schema = wfh(&["schema"]).await;
    assert_eq!((schema.code, schema.stderr.as_str()), (Some(0), ""));
    let schema: serde_json::Value = serde_json::from_str(&schema.stdout).expect("JSON");
    assert!(schema["$schema"].is_string(), "{schema}");
    assert!(schema["properties"]["function"].is_object(), "the schema knows no functions");
}

#[tokio::test]
async fn completions_and_the_manual_are_printed() {
    for (shell, part) in [("bash", "complete"), ("zsh", "#compdef"), ("fish", "complete -c wfh")] {
        let printed = wfh(&["completions", shell]).await;
        assert_eq!(printed.code, Some(0));
        assert!(printed.stdout.contains(part), "completions of {shell}: {}", printed.stdout);
    }
    let manual = wfh(&["man"]).await;
    assert_eq!(manual.code, Some(0));
    assert!(manual.stdout.contains(".TH wfh"), "no manual page: {}", manual.stdout);
}

#[tokio::test]
async fn every_verb_has_its_manual_page() {
    let build = wfh(&["man", "build"]).await;
    assert!(build.stdout.contains(".TH wfh-build"), "{build:?}");
    assert_eq!(wfh(&["man", "sevre"]).await.code, Some(2));
    let directory = tempfile::tempdir().unwrap();
    let written = wfh(&["man", "--out-dir", directory.path().to_str().unwrap()]).await;
    assert_eq!(written.code, Some(0), "{written:?}");
    let help = wfh(&["--help"]).await.stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let verbs = listed
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next());
    for verb in verbs.filter(|verb| *verb != "help") {
        let page = directory.path().join(format!("wfh-{verb}.1"));
        assert!(page.is_file(), "`wfh {verb}` has no manual page");
    }
}

#[tokio::test]
async fn wrong_usage_is_exit_2() {
    for args in [
        &["sevre"][..],
        &["serve", "--lisen", "127.0.0.1:0"],
        &["serve", "--listen", "nowhere"],
        &["serve", "a.toml", "b.toml"],
        &["completions", "cobol"],
        &[][..],
    ] {
        let ended = wfh(args).await;
        assert_eq!(ended.code, Some(2), "{args:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{args:?} prints results");
        assert!(ended.stderr.contains("--help"), "{args:?}: {}", ended.stderr);
    }
    let near = wfh(&["sevre"]).await;
    assert!(near.stderr.contains("serve"), "no suggestion: {}", near.stderr);
}

#[tokio::test]
async fn check_says_ok_and_opens_no_port() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let setup = Setup::new().toml(&format!("[http]\nlisten = \"{address}\""));
    let checked = setup.function("hello", "hello", "").check().await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.stdout.contains("ok"), "{checked:?}");
    let bare = Setup::new().bare(&guest("hello")).check().await;
    assert_eq!(bare.code, Some(0), "{bare:?}");
}

#[tokio::test]
async fn what_serve_cannot_bind_it_refuses() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for option in ["--listen", "--admin"] {
        let setup = Setup::new().function("hello", "hello", "");
        let ended = setup.arg(&format!("{option}={address}")).serve_refused().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        for part in ["WFH-1007", address.as_str()] {
            assert!(ended.stderr.contains(part), "{option}: no {part:?} in {}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn an_open_admin_port_needs_a_token() {
    let setup = || Setup::new().function("hello", "hello", "").arg("--admin=0.0.0.0:0");
    let ended = setup().serve_refused().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for part in ["WFH-1013", "admin.token"] {
        assert!(ended.stderr.contains(part), "no {part:?} in {}", ended.stderr);
    }
    let token = "[admin]\ntoken = { env = \"ADMIN_TOKEN\" }";
    let host = setup().toml(token).env("ADMIN_TOKEN", "hunter2-admin").serve().await;
    assert_eq!(host.get("/hello").await.status, 200);
    assert!(!host.stderr().contains("hunter2"), "the token is in the log");
    let missing = setup().toml(token).beside(&host).serve_refused().await;
    assert!(missing.stderr.contains("WFH-1010"), "{missing:?}");
}

#[tokio::test]
async fn a_manifest_that_is_not_there_is_named() {
    for verb in ["serve", "check"] {
        let ended = wfh(&[verb, "/nowhere/wfh.toml"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        for part in ["WFH-1002", "/nowhere/wfh.toml"] {
            assert!(ended.stderr.contains(part), "{verb}: no {part:?} in {}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn health_and_readiness_are_on_the_admin_port() {
    let host = Setup::new().function("hello", "hello", "").serve().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(host.admin_get(path).await.status, 200, "{path}");
        assert_eq!(host.get(path).await.status, 404, "{path} is on the public port");
    }
    assert_eq!(host.admin_get("/nowhere").await.status, 404);
    assert!(host.threads() < 64, "{} threads for one function", host.threads());
}

#[tokio::test]
async fn warnings_follow_the_two_lines() {
    let setup = Setup::new().unrouted("hello", "hello", "");
    let checked = setup.check().await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.stderr.contains("no trigger"), "nobody is warned: {checked:?}");
}
