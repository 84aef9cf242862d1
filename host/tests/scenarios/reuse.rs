//! Fresh sandboxes, kept ones, and what `init` leaves in them.

use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::{Host, Setup};

const PRIMES_BELOW_3_000_000: u64 = 216_816;

async fn served(host: &Host, path: &str, calls: usize) -> Vec<u64> {
    let mut counts = Vec::new();
    for _ in 0..calls {
        let answer = host.get(path).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let report: Value = answer.json();
        assert_eq!(report["init"], true, "{path}: init did not run");
        assert_eq!(report["primes"], PRIMES_BELOW_3_000_000, "{path}: the snapshot is wrong");
        counts.push(report["served"].as_u64().unwrap());
    }
    counts
}

#[tokio::test]
async fn a_sandbox_is_fresh_unless_it_is_to_be_reused_and_starts_from_its_snapshot() {
    let host = Setup::new()
        .function("fresh", "counter_init", "")
        .function("kept", "counter_init", "reuse = 3\nconcurrency = 1")
        .serve()
        .await;
    assert_eq!(served(&host, "/fresh", 4).await, [1; 4], "one call sees what another left");
    // A caller that is back before its sandbox was put away gets a fresh one.
    let counts = served(&host, "/kept", 12).await;
    let in_turn = |pair: &[u64]| pair[1] == 1 || pair[1] == pair[0] + 1;
    assert!(counts.windows(2).all(in_turn), "a sandbox lost count: {counts:?}");
    assert_eq!(counts.iter().max(), Some(&3), "reuse = 3 does not hold: {counts:?}");
}

#[tokio::test]
async fn a_trap_retires_a_kept_sandbox() {
    let settings = "reuse = 100\nconcurrency = 1\nmemory = \"16MiB\"\ntimeout = \"5s\"";
    let host = Setup::new()
        .function("alloc", "alloc", settings)
        .function("spin", "spin", "reuse = 100\ntimeout = \"200ms\"")
        .serve()
        .await;
    for _ in 0..3 {
        assert_eq!(host.get("/alloc?mib=4").await.status, 200, "a broken sandbox is used again");
        assert_eq!(host.get("/alloc").await.failure(), (502, "WFH-2006".into()));
        assert_eq!(host.get("/spin").await.failure(), (504, "WFH-2005".into()));
        assert_eq!(host.get("/spin?ms=1").await.status, 200, "a stopped sandbox is used again");
    }
}

#[tokio::test]
async fn a_component_of_wasi_0_3_is_reused_concurrently() {
    let settings = "reuse = 100\nreuse_concurrency = 8";
    let host = Setup::new().function("hello", "hello_p3", settings).serve().await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let mut client = host.client().await;
        calls.spawn(async move {
            for _ in 0..25 {
                let answer = client.get("/hello").await;
                assert_eq!((answer.status, answer.text()), (200, "hello, world\n".into()));
            }
        });
    }
    calls.join_all().await;
}

#[tokio::test]
async fn an_init_that_fails_refuses_the_function() {
    for (guest, reason) in [("init_fails", "no luck"), ("init_panics", "init")] {
        let ended = Setup::new().function("f", guest, "").serve_refused().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        for part in ["WFH-1006", reason, "wfh.toml:", "function.f.component"] {
            assert!(ended.stderr.contains(part), "{guest}: no {part:?} in {}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn a_lenient_function_is_served_without_its_init() {
    let data = tempfile::tempdir().unwrap();
    let host = Setup::new()
        .data_dir(data.path())
        .function("fails", "init_fails", "init = \"lenient\"")
        .function("panics", "init_panics", "init = \"lenient\"")
        .serve()
        .await;
    for path in ["/fails", "/panics"] {
        let answer = host.get(path).await;
        let got = (answer.status, answer.text());
        assert_eq!(got, (200, "served without init\n".into()), "{path}");
    }
    // That it is served without its init is not kept from the operator.
    host.says("no luck").await;
}

#[tokio::test]
async fn an_init_that_never_ends_is_stopped() {
    let setup = Setup::new().toml("[engine]\ninit_timeout = \"500ms\"");
    let ended = setup.function("f", "init_spins", "").serve_refused().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for part in ["WFH-1006", "500ms", "function.f.component"] {
        assert!(ended.stderr.contains(part), "no {part:?} in {}", ended.stderr);
    }
}

#[tokio::test]
async fn a_sandbox_that_waits_gives_its_slot_to_a_call() {
    let host = Setup::new()
        .toml("[engine]\ninstances_max = 1")
        .function("one", "hello", "reuse = 100")
        .function("other", "counter_init", "reuse = 100")
        .serve()
        .await;
    for _ in 0..3 {
        assert_eq!(host.get("/one").await.status, 200, "an idle sandbox blocks another function");
        assert_eq!(host.get("/other").await.status, 200, "an idle sandbox blocks another function");
    }
}

#[tokio::test]
async fn without_room_for_the_pool_functions_are_served_on_demand_with_a_warning() {
    let host = Setup::new().address_space_kib(6 << 20).function("hello", "hello", "").serve().await;
    for _ in 0..20 {
        assert_eq!(host.get("/hello").await.status, 200, "no fallback without a pool");
    }
    let stderr = host.stderr();
    assert!(stderr.contains("allocated on demand"), "nobody is told: {stderr}");
    assert!(stderr.contains("engine.instances_max"), "the remedy is missing: {stderr}");
}
