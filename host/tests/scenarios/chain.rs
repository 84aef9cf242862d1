//! Functions that call functions.

use crate::support::Setup;

#[tokio::test]
async fn a_function_reaches_another_by_its_grant_only() {
    let host = Setup::new()
        .unrouted("hello", "hello", "")
        .function("chain", "proxy_chain", "allow.invoke = [\"function:hello\"]")
        .function("denied", "proxy_chain", "allow.http = [\"*\"]")
        .serve()
        .await;
    let next = [("x-next", "hello.wfh.internal")];
    let chained = host.send("GET", "/chain", &next, "").await;
    assert_eq!(chained.status, 200, "{}", chained.text());
    assert_eq!(chained.text(), "via proxy-chain: hello, world\n");
    let listed = host.admin_json("/v1/traces").await;
    let trace = format!("/v1/traces/{}", listed["items"][0]["id"].as_str().unwrap());
    let tree = host.admin_json(&trace).await["tree"].clone();
    let kinds = tree.as_array().unwrap().iter().map(|span| (&span["kind"], &span["depth"]));
    let kinds = serde_json::json!(kinds.collect::<Vec<_>>());
    let expected = serde_json::json!([["server", 0], ["client", 1], ["server", 2]]);
    assert_eq!(kinds, expected, "the call is not a client's span with the other's below: {tree:#}");
    assert_eq!(tree[1]["attributes"]["server.address"], "hello.wfh.internal");
    assert_eq!(tree[2]["attributes"]["faas.name"], "hello");
    let denied = host.send("GET", "/denied", &next, "").await;
    assert_eq!(denied.status, 502, "a function is called without a grant: {}", denied.text());
    let absent = host.send("GET", "/chain", &[("x-next", "absent.wfh.internal")], "").await;
    assert_eq!(absent.status, 502, "{}", absent.text());
}

#[tokio::test]
async fn a_chain_that_calls_itself_ends_at_the_hop_limit() {
    let host = Setup::new()
        .toml("[limits]\nhops_max = 5")
        .function("chain", "proxy_chain", "allow.invoke = [\"function:chain\"]\ntimeout = \"10s\"")
        .serve()
        .await;
    let looped = host.send("GET", "/chain", &[("x-next", "chain.wfh.internal")], "").await;
    assert_eq!(looped.status, 502, "{}", looped.text());
    assert!(looped.took.as_secs() < 5, "the loop ends by its timeout, not by its hops");
}

#[tokio::test]
async fn a_called_function_keeps_its_own_limits_within_its_callers_deadline() {
    let host = Setup::new()
        .unrouted("spin", "spin", "timeout = \"300ms\"")
        .unrouted("slow", "spin", "timeout = \"1m\"")
        .function("short", "proxy_chain", "allow.invoke = [\"function:spin\"]")
        .function("long", "proxy_chain", "allow.invoke = [\"function:slow\"]\ntimeout = \"300ms\"")
        .serve()
        .await;
    let own = host.send("GET", "/short", &[("x-next", "spin.wfh.internal")], "").await;
    assert_eq!(own.status, 502, "{}", own.text());
    assert!(own.took.as_millis() < 2_000, "the callee's own timeout does not hold: {:?}", own.took);
    let callers = host.send("GET", "/long", &[("x-next", "slow.wfh.internal")], "").await;
    assert_eq!(callers.failure(), (504, "WFH-2005".into()), "{}", callers.text());
    assert!(callers.took.as_millis() < 2_000, "the caller's deadline does not hold");
}

#[tokio::test]
async fn an_event_function_is_called_like_any_other() {
    let host = Setup::new()
        .unrouted("echo", "event_echo", "")
        .function("chain", "proxy_chain", "allow.invoke = [\"function:echo\"]")
        .serve()
        .await;
    let chained = host.send("GET", "/chain", &[("x-next", "echo.wfh.internal")], "").await;
    // The event has no data, so neither has its echo.
    assert_eq!(chained.status, 204, "{}", chained.text());
}
