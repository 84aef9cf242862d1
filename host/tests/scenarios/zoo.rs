//! Components built by other tools, or against other versions of WASI, run unchanged.

use std::process::Command;
use std::sync::OnceLock;

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};

use crate::support::{Setup, examples, guest};

/// Builds the examples in other languages. Fails with what to install.
fn other_languages() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let script = examples().join("../scripts/zoo");
        let built = Command::new(script).output().expect("scripts/zoo cannot be run");
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "scripts/zoo fails:\n{said}");
    });
}

#[tokio::test]
async fn components_of_javascript_and_python_run_in_the_default_pool() {
    tokio::task::spawn_blocking(other_languages).await.unwrap();
    for (name, language) in [("js-hello", "JavaScript"), ("py-hello", "Python")] {
        let component = examples().join(name).join("app.wasm");
        let host = Setup::new().bare(&component).serve().await;
        // Each in a fresh sandbox.
        for path in ["/", "/a/path?and=query"] {
            let answer = host.get(path).await;
            let expected = format!("hello, world, from {language} at {path}\n");
            assert_eq!((answer.status, answer.text()), (200, expected), "{name}");
            assert_eq!(answer.header("content-type"), "text/plain", "{name}");
        }
        let said = host.stderr();
        assert!(!said.contains("WARN"), "{name} is served with a warning: {said}");
    }
}

#[tokio::test]
async fn their_manifests_are_valid_and_build_what_they_serve() {
    tokio::task::spawn_blocking(other_languages).await.unwrap();
    for name in ["js-hello", "py-hello"] {
        let manifest = examples().join(name).join("wfh.toml");
        let ended = crate::support::wfh(&["check", manifest.to_str().unwrap()]).await;
        assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
    }
}

#[tokio::test]
async fn a_component_composed_of_two_is_one_function() {
    let (socket, plugged) = (guest("greeted"), guest("greeter"));
    let refused = Setup::new().bare(&socket).serve_refused().await;
    assert_eq!(refused.code, Some(1));
    for part in ["WFH-1005", "example:greet/greet", "no capability offers it"] {
        assert!(refused.stderr.contains(part), "no {part:?} in {}", refused.stderr);
    }

    let mut graph = CompositionGraph::new();
    let [socket, plugged] = [("greeted", socket), ("greeter", plugged)].map(|(name, path)| {
        let package = Package::from_file(name, None, path, graph.types_mut()).unwrap();
        graph.register_package(package).unwrap()
    });
    plug(&mut graph, vec![plugged], socket).unwrap();
    let composed = graph.encode(EncodeOptions::default()).unwrap();
    let setup = Setup::new().file("composed.wasm", composed);
    let path = setup.path("composed.wasm");
    let host = setup.bare(&path).serve().await;
    let answer = host.get("/you").await;
    assert_eq!(
        (answer.status, answer.text()),
        (200, "hello, you, from another component\n".into())
    );
}

#[tokio::test]
async fn older_and_newer_minors_of_wasi_run() {
    // A version that does not exist yet: the interfaces of a track only grow.
    let current = std::fs::read(guest("hello")).unwrap();
    let text = |bytes: &[u8], version: &str| {
        bytes.windows(version.len()).filter(|window| *window == version.as_bytes()).count()
    };
    assert!(text(&current, "@0.2.12") > 10, "hello is built against another version by now");
    let newer = replaced(current, b"@0.2.12", b"@0.2.99");
    let older = std::fs::read(guest("hello_old")).unwrap();
    assert!(text(&older, "wasi:http/incoming-handler@0.2.2") > 0, "hello-old is not old");
    for (name, wasm) in [("newer", newer), ("older", older)] {
        let setup = Setup::new().file("hello.wasm", wasm);
        let path = setup.path("hello.wasm");
        let answer = setup.bare(&path).serve().await.get("/").await;
        assert_eq!((answer.status, answer.text()), (200, "hello, world\n".into()), "{name}");
    }
}

/// Texts of the same length, so that no length before them is wrong.
fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    for at in 0..bytes.len().saturating_sub(from.len()) {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    bytes
}
