//! `--watch`: what changes is swapped in, and nobody notices but by the answers.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use crate::support::{Host, Setup, eventually, guest};

const HELLO: &str = "hello, world\n";
const OTHER: &str = "the body was not read\n";

/// Puts a file in place the way compilers do.
fn replace(host: &Host, name: &str, content: &[u8]) {
    let temporary = host.path(&format!("{name}.new"));
    fs::write(&temporary, content).unwrap();
    fs::rename(&temporary, host.path(name)).unwrap();
}

fn component(name: &str) -> Vec<u8> {
    fs::read(guest(name)).unwrap()
}

fn watching(components: &[(&str, &str)]) -> Setup {
    components.iter().fold(Setup::new().arg("--watch"), |setup, (name, guest)| {
        setup
            .file(&format!("{name}.wasm"), component(guest))
            .toml(&format!("[function.{name}]\ncomponent = \"{name}.wasm\""))
            .route(&format!("/{name}"), name, "")
    })
}

async fn answers(host: &Host, path: &str, text: &str) {
    let invariant = format!("{path} answers {text:?} after a change");
    eventually(&invariant, async || host.get(path).await.text() == text).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_a_component_is_replaced_ten_times() {
    let host = watching(&[("f", "hello")]).serve().await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        let (mut client, stop) = (host.client().await, Arc::clone(&stop));
        clients.spawn(async move {
            let (mut old, mut new) = (0, 0);
            while !stop.load(Ordering::SeqCst) {
                let answer = client.get("/f").await;
                assert_eq!(answer.status, 200, "a request fails during a swap: {}", answer.text());
                match answer.text().as_str() {
                    HELLO => old += 1,
                    OTHER => new += 1,
                    mixed => panic!("neither version answers {mixed:?}"),
                }
            }
            (old, new)
        });
    }
    let versions = [(component("never_read_body"), OTHER), (component("hello"), HELLO)];
    for swap in 0..10 {
        let (bytes, text) = &versions[swap % 2];
        replace(&host, "f.wasm", bytes);
        answers(&host, "/f", text).await;
    }
    stop.store(true, Ordering::SeqCst);
    for (old, new) in clients.join_all().await {
        assert!(old > 0 && new > 0, "a client saw {old} old and {new} new answers");
    }
}

#[tokio::test]
async fn a_call_in_flight_finishes_on_the_code_it_began_with() {
    let host = watching(&[("f", "sleep")]).serve().await;
    let mut client = host.client().await;
    let sleeping = tokio::spawn(async move { client.get("/f?ms=2500").await });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    replace(&host, "f.wasm", &component("hello"));
    answers(&host, "/f?ms=0", HELLO).await;
    assert!(!sleeping.is_finished(), "the swap came too late to show anything");
    let answer = sleeping.await.unwrap();
    assert_eq!((answer.status, answer.text()), (200, "slept 2500 ms\n".into()));
}

#[tokio::test]
async fn what_is_broken_is_told_and_the_old_version_stays() {
    let host = watching(&[("f", "hello")]).serve().await;
    replace(&host, "f.wasm", b"broken");
    host.says("change refused").await;
    assert_eq!(host.get("/f").await.text(), HELLO, "a broken component takes the old one's place");
    fs::remove_file(host.path("f.wasm")).unwrap();
    host.says("WFH-1002").await;
    assert_eq!(host.get("/f").await.text(), HELLO, "a removed component is gone");
    replace(&host, "f.wasm", &component("never_read_body"));
    answers(&host, "/f", OTHER).await;
}

#[tokio::test]
async fn a_changed_manifest_is_taken_too() {
    let host = watching(&[("f", "hello")]).serve().await;
    let path = host.path("wfh.toml");
    let before = fs::read_to_string(&path).unwrap();
    let more = format!(
        "{before}[function.g]\ncomponent = \"{}\"\nenv = {{ NEW = \"1\" }}\n\
         [[trigger.http]]\nroute = \"/g\"\ntarget = \"function:g\"\n",
        Path::new(&guest("inspect")).display()
    );
    replace(&host, "wfh.toml", more.as_bytes());
    eventually("a new route is served", async || host.get("/g").await.status == 200).await;
    assert_eq!(host.get("/g").await.json()["environment"]["NEW"], "1");
    replace(&host, "wfh.toml", format!("{more}colour = \"red\"\n").as_bytes());
    host.says("change refused").await;
    assert_eq!(host.get("/g").await.status, 200, "a broken manifest takes routes away");
    replace(&host, "wfh.toml", before.as_bytes());
    eventually("a removed route is gone", async || host.get("/g").await.status == 404).await;
    assert_eq!(host.get("/f").await.text(), HELLO);
}

#[tokio::test]
async fn a_file_of_no_concern_changes_nothing() {
    let host = watching(&[("f", "hello")]).serve().await;
    // A log beside the manifest, to which every deployment adds lines, must not make it deploy.
    for turn in 0..5 {
        fs::write(host.path("wfh.log"), turn.to_string()).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
    let deployed = || host.stderr().matches("change deployed").count();
    assert_eq!(deployed(), 0, "what no function needs is deployed");
    replace(&host, "f.wasm", &component("never_read_body"));
    answers(&host, "/f", OTHER).await;
}
