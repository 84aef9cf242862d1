//! One flooded queue does not starve another one of the same function.

use serde_json::json;

use crate::support::{Recorder, Setup, eventually, eventually_within};

const FLOOD: usize = 300;
const FEW: usize = 20;

#[tokio::test]
async fn a_flooded_queue_leaves_others_their_share() {
    let recorder = Recorder::start().await;
    let settings = format!(
        "{}\nenv = {{ RECORD = \"{}\" }}\nconcurrency = 9",
        recorder.grant(),
        recorder.url("")
    );
    let route = |name: &str| {
        format!(
            "[[trigger.http]]\nroute = \"/{name}\"\ntarget = \"queue:{name}\"\nmode = \"async\""
        )
    };
    let host = Setup::new()
        .function("work", "worker", &settings)
        .toml("[queue.flood]\n[queue.few]")
        .toml(&route("flood"))
        .toml(&route("few"))
        .toml("[[trigger.queue]]\nqueue = \"flood\"\ntarget = \"function:work\"\nweight = 4")
        .toml("[[trigger.queue]]\nqueue = \"few\"\ntarget = \"function:work\"\nweight = 4")
        .serve()
        .await;
    let send = async |path: &str, count: usize| {
        let mut client = host.client().await;
        for _ in 0..count {
            let work = json!({ "record": recorder.url(path), "sleep_ms": 40 }).to_string();
            let headers = [("content-type", "application/json")];
            let path = format!("/{path}");
            assert_eq!(client.send("POST", &path, &headers, &work).await.unwrap().status, 202);
        }
    };
    let ran = |path: &str| recorder.effects().iter().filter(|effect| effect.path == path).count();
    send("flood", FLOOD).await;
    let before = ran("flood");
    send("few", FEW).await;
    eventually("the few are done", async || ran("few") == FEW).await;
    // Equal weights: while the few ran, as many of the flood did, give or take what was under way.
    let beside = ran("flood") - before;
    println!("beside {FEW} of the small queue, {beside} of the flood ran");
    assert!(beside < FLOOD - before, "the flood was over before the few were");
    assert!(beside <= 5 * FEW, "{beside} of the flood beside {FEW}: no share was left to the few");
    eventually_within(std::time::Duration::from_secs(60), "the flood is done", async || {
        ran("flood") == FLOOD
    })
    .await;
}
