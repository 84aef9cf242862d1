//! Bodies flow both ways at once and never pile up.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Full};

use crate::support::{Setup, within};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn an_echo_begins_before_its_request_ends() {
    for guest in ["echo_stream"] {
        let host = Setup::new().function("echo", guest, "").serve().await;
        let mut client = host.client().await;
        let (mut sender, body) = Channel::<Bytes>::new(1);
        let request = client.request("POST", "/echo", &[]).body(body.boxed()).unwrap();
        sender.send_data(Bytes::from_static(b"first")).await.unwrap();
        let mut answer = client.start(request).await.unwrap().into_body();
        for part in ["first", "second", "third"] {
            if part != "first" {
                sender.send_data(Bytes::from_static(part.as_bytes())).await.unwrap();
            }
            let mut got = Vec::new();
            while got.len() < part.len() {
                let frame = within("the echo of what was sent", answer.frame()).await;
                got.extend_from_slice(&frame.unwrap().unwrap().into_data().unwrap());
            }
            assert_eq!(got, part.as_bytes(), "the echo is not what was sent");
        }
        drop(sender);
        let end = within("the end of the echo", answer.frame()).await;
        assert!(end.is_none(), "the echo does not end with its request");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_upload_streams_through_without_piling_up() {
    const TOTAL: usize = 256 * MIB;
    let host = Setup::new()
        .function("echo", "echo_stream", "timeout = \"2m\"")
        .function("hello", "hello", "")
        .serve()
        .await;
    host.send("POST", "/echo", &[], "warm").await;
    let before = host.resident_bytes();
    let mut client = host.client().await;
    let (mut sender, body) = Channel::<Bytes>::new(4);
    let request = client.request("POST", "/echo", &[]).body(body.boxed()).unwrap();
    let uploading = tokio::spawn(async move {
        let chunk = Bytes::from(vec![b'x'; MIB / 4]);
        for _ in 0..TOTAL / chunk.len() {
            sender.send_data(chunk.clone()).await.expect("the upload goes on");
        }
    });
    let mut answer = client.start(request).await.unwrap().into_body();
    let (mut got, mut highest, mut next_look) = (0, before, 0);
    while let Some(frame) = within("the next piece of the echo", answer.frame()).await {
        got += frame.unwrap().into_data().unwrap().len();
        if got >= next_look {
            next_look += 8 * MIB;
            highest = highest.max(host.resident_bytes());
        }
    }
    uploading.await.unwrap();
    assert_eq!(got, TOTAL, "bytes are lost");
    let growth = (highest - before) / MIB as u64;
    assert!(growth < 32, "the host grows by {growth} MiB for an upload of 256 MiB");
}

#[tokio::test]
async fn a_slow_reader_holds_its_writer_back() {
    let host = Setup::new().function("echo", "echo_stream", "timeout = \"30s\"").serve().await;
    host.send("POST", "/echo", &[], "warm").await;
    let before = host.resident_bytes();
    let mut client = host.client().await;
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let request = client.request("POST", "/echo", &[]).body(body.boxed()).unwrap();
    let chunk = Bytes::from(vec![b'x'; MIB]);
    sender.send_data(chunk.clone()).await.unwrap();
    let answer = client.start(request).await.unwrap();
    let mut taken = 0;
    let unread = async {
        while taken < 512 && sender.send_data(chunk.clone()).await.is_ok() {
            taken += 1;
        }
    };
    let stuck = tokio::time::timeout(Duration::from_secs(2), unread).await;
    assert!(stuck.is_err(), "{taken} MiB are taken from a client that reads nothing");
    let growth = host.resident_bytes().saturating_sub(before) / MIB as u64;
    assert!(growth < 32, "the host grows by {growth} MiB for an answer that nobody reads");
    drop(answer);
}

#[tokio::test]
async fn an_empty_body_is_a_body() {
    let host = Setup::new().function("echo", "echo_stream", "").serve().await;
    let mut client = host.client().await;
    for _ in 0..3 {
        let body = Full::new(Bytes::new()).boxed();
        let request = client.request("POST", "/echo", &[]).body(body).unwrap();
        let answer = client.whole(request).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 0));
    }
}
