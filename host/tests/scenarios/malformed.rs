//! Ten thousand requests that no decent client sends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use crate::support::{Raw, Setup, eventually};

const REQUESTS: usize = 10_000;
const AT_ONCE: usize = 32;

/// What must come back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Expect {
    /// An error of the client's, or a closed connection.
    Refused,
    /// Anything but a failure of the host, and one answer at most.
    OneAnswer,
}

fn cases() -> Vec<(Vec<u8>, Expect)> {
    use Expect::{OneAnswer, Refused};
    let get = |rest: &str| format!("GET /hello HTTP/1.1\r\nhost: h\r\n{rest}");
    let post = |rest: &str| format!("POST /echo HTTP/1.1\r\nhost: h\r\n{rest}");
    let smuggled = "GET /hello HTTP/1.1\r\nhost: smuggled\r\n\r\n";
    let texts = [
        // Half of something.
        (String::new(), Refused),
        ("G".into(), Refused),
        ("GET".into(), Refused),
        ("GET /hello".into(), Refused),
        ("GET /hello HTTP/1.1".into(), Refused),
        ("GET /hello HTTP/1.1\r\n".into(), Refused),
        (get("x-half"), Refused),
        (get("x-half: "), Refused),
        ("\r\n\r\n\r\n".into(), Refused),
        ("PRI * HTTP/2.0\r\n\r\n".into(), Refused),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage garbage garbage garbage".into(), Refused),
        ("PRI * HTTP/1.1\r\nhost: h\r\n\r\n".into(), Refused),
        // Lines that are none.
        ("GET  /hello HTTP/1.1\r\nhost: h\r\n\r\n".into(), Refused),
        ("GET /hello HTTP/9.9\r\nhost: h\r\n\r\n".into(), Refused),
        ("GET /hello HTTP/1.1 extra\r\nhost: h\r\n\r\n".into(), Refused),
        ("GET /he llo HTTP/1.1\r\nhost: h\r\n\r\n".into(), Refused),
        ("GET hello HTTP/1.1\r\nhost: h\r\n\r\n".into(), Refused),
        ("/hello HTTP/1.1\r\nhost: h\r\n\r\n".into(), Refused),
        ("G\u{e9}T /hello HTTP/1.1\r\nhost: h\r\n\r\n".into(), Refused),
        ("GET(/ /hello HTTP/1.1\r\nhost: h\r\n\r\n".into(), Refused),
        ("CONNECT h:443 HTTP/1.1\r\nhost: h:443\r\n\r\n".into(), Refused),
        ("OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n".into(), Refused),
        (format!("GET /{} HTTP/1.1\r\nhost: h\r\n\r\n", "a".repeat(70_000)), Refused),
        (format!("{} /hello HTTP/1.1\r\nhost: h\r\n\r\n", "M".repeat(70_000)), Refused),
        // Headers that are none.
        (get("no colon\r\n\r\n"), Refused),
        (get("x-space : 1\r\n\r\n"), Refused),
        (get(": nameless\r\n\r\n"), Refused),
        (get("x-null: a\0b\r\n\r\n"), Refused),
        (get("x-n\0ll: 1\r\n\r\n"), Refused),
        (get("x-folded: a\r\n b\r\n\r\n"), Refused),
        (get("x-bare: a\rb\r\n\r\n"), Refused),
        (get("x-bell: \u{7}\r\n\r\n"), Refused),
        (get(&format!("x-large: {}\r\n\r\n", "x".repeat(70_000))), Refused),
        (get(&"x-many: 1\r\n".repeat(200)), Refused),
        ("GET /hello HTTP/1.1\r\n\r\n".into(), Refused),
        (get("host: second\r\n\r\n"), Refused),
        ("GET /hello HTTP/1.1\r\nhost: a b\r\n\r\n".into(), Refused),
        ("GET /hello HTTP/1.1\r\nhost: user@h/path\r\n\r\n".into(), Refused),
        // Bodies whose end is disputed.
        (post("content-length: x\r\n\r\nbody"), Refused),
        (post("content-length: -1\r\n\r\nbody"), Refused),
        (post("content-length: +4\r\n\r\nbody"), Refused),
        (post("content-length: 4, 4\r\n\r\nbody"), OneAnswer),
        (post("content-length: 4\r\ncontent-length: 5\r\n\r\nbody"), Refused),
        (post("content-length: 99999999999999999999\r\n\r\nbody"), Refused),
        (
            post(&format!(
                "content-length: 0\r\ncontent-length: {}\r\n\r\n{smuggled}",
                smuggled.len()
            )),
            Refused,
        ),
        (
            post(&format!(
                "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
            )),
            OneAnswer,
        ),
        (
            post(&format!(
                "transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n{smuggled}"
            )),
            OneAnswer,
        ),
        (
            post(&format!(
                "transfer-encoding: xchunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n{smuggled}"
            )),
            OneAnswer,
        ),
        (
            post(&format!("transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{smuggled}")),
            OneAnswer,
        ),
        (post("transfer-encoding : chunked\r\n\r\n0\r\n\r\n"), Refused),
        (post("transfer-encoding:\u{b}chunked\r\n\r\n0\r\n\r\n"), Refused),
        (post("content-length: 100\r\n\r\nshort"), Refused),
        (post("transfer-encoding: chunked\r\n\r\nZZ\r\nbody\r\n0\r\n\r\n"), Refused),
        (post("transfer-encoding: chunked\r\n\r\n-4\r\nbody\r\n0\r\n\r\n"), Refused),
        (post("transfer-encoding: chunked\r\n\r\n0x4\r\nbody\r\n0\r\n\r\n"), Refused),
        (post("transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nbody"), Refused),
        (post("transfer-encoding: chunked\r\n\r\n4\r\nbodyXX0\r\n\r\n"), Refused),
        (post("transfer-encoding: chunked\r\n\r\n4\nbody\n0\n\n"), Refused),
        (post("transfer-encoding: chunked\r\n\r\n4;ext=\0\r\nbo"), Refused),
        (post("transfer-encoding: chunked\r\n\r\n4\r\nbo"), Refused),
        (
            post(&format!(
                "transfer-encoding: chunked\r\n\r\n4;{}\r\nbody\r\n0\r\n\r\n",
                "x".repeat(40_000)
            )),
            Refused,
        ),
        (
            post(&format!(
                "transfer-encoding: chunked\r\n\r\n0\r\n{}\r\n",
                "x-trailer: 1\r\n".repeat(5_000)
            )),
            Refused,
        ),
        (
            format!(
                "POST /echo HTTP/1.0\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
            ),
            OneAnswer,
        ),
    ];
    let mut cases: Vec<_> =
        texts.into_iter().map(|(text, expect)| (text.into_bytes(), expect)).collect();
    cases.push(((0..=255).cycle().take(2_000).collect(), Refused));
    cases.push((vec![0; 1_000], Refused));
    // A TLS handshake, and HTTP/2 frames that break the protocol.
    cases.push((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), Refused));
    for frame in [
        &b"\x00\x00\x05\x09\x04\x00\x00\x00\x01hello"[..],
        b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
        b"\x00\x00\x00\x04\x00\x00\x00\x00\x01",
        b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    ] {
        cases.push((
            [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", frame]
                .concat(),
            Refused,
        ));
    }
    cases
}

/// Sends one; every other client just leaves, the rest read what comes.
async fn attack(address: SocketAddr, bytes: &[u8], expect: Expect, leaves: bool) {
    let mut raw = Raw::connect(address).await;
    raw.send(bytes).await;
    if leaves {
        return;
    }
    // The host may have closed by now.
    let _ = raw.stream.shutdown().await;
    let answer = raw.rest().await;
    let case = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let status = answer.strip_prefix("HTTP/1.1 ").or(answer.strip_prefix("HTTP/1.0 "));
    let status = status.and_then(|rest| rest.get(..3));
    let answers = answer.matches("HTTP/1.").count();
    assert!(answers <= 1, "{case:?} is taken for more than one request: {answer}");
    assert!(
        !status.is_some_and(|status| status.starts_with('5')),
        "{case:?} fails the host: {answer}"
    );
    if expect == Expect::Refused {
        let complete = answer.ends_with("0\r\n\r\n");
        let accepted = status.is_some_and(|status| status.starts_with('2')) && complete;
        assert!(!accepted, "{case:?} is accepted: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_malformed_requests_change_nothing() {
    let settings = "concurrency = 8\nqueue_timeout = \"5s\"";
    let mut host = Setup::new()
        .function("hello", "hello", settings)
        .function("echo", "event_echo", settings)
        .serve()
        .await;
    assert_eq!(host.get("/hello").await.status, 200);
    assert_eq!(host.send("POST", "/echo", &[], "warm").await.status, 200);
    let settled = async || host.descriptors();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let before = settled().await;
    let (stop, mut hello) = (Arc::new(AtomicBool::new(false)), host.client().await);
    let answering = {
        let stop = Arc::clone(&stop);
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let answer = hello.get("/hello").await;
                assert_eq!(answer.status, 200, "hello fails beside malformed requests");
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        })
    };
    let cases = Arc::new(cases());
    let mut attackers = JoinSet::new();
    for attacker in 0..AT_ONCE {
        let (cases, address) = (Arc::clone(&cases), host.address());
        attackers.spawn(async move {
            for index in (attacker..REQUESTS).step_by(AT_ONCE) {
                let (bytes, expect) = &cases[index % cases.len()];
                attack(address, bytes, *expect, (index / cases.len()) % 2 == 1).await;
            }
        });
    }
    attackers.join_all().await;
    stop.store(true, Ordering::SeqCst);
    answering.await.unwrap();
    eventually("all descriptors come back", async || host.descriptors() <= before).await;
    for call in 0..16 {
        assert_eq!(host.get("/hello").await.status, 200, "call {call}: a slot is lost");
        assert_eq!(host.send("POST", "/echo", &[], "x").await.text(), "x", "call {call}");
    }
    assert!(host.runs(), "the host is gone");
    assert!(!host.stderr().contains("panicked"), "the host panicked:\n{}", host.stderr());
}
