//! A cluster: an app is in one slot, wherever that is.

use wfh_store::{Queue, Store};

use crate::server::{DURABLE, Server, append, eventually, queue};

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_found_on_the_node_that_has_its_slot() {
    let arguments = [DURABLE, &["--cluster-enabled", "yes"]].concat();
    let nodes = [Server::with(&arguments), Server::with(&arguments)];
    nodes[0].run(&["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]);
    nodes[1].run(&["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]);
    nodes[0].run(&["CLUSTER", "MEET", "127.0.0.1", &nodes[1].port.to_string()]);
    let joined = async || {
        let ok = |node: &Server| node.run(&["CLUSTER", "INFO"]).contains("cluster_state:ok");
        nodes.iter().all(ok).then_some(())
    };
    eventually("the nodes find each other", joined).await;
    let mut homes = std::collections::BTreeSet::new();
    for number in 0..8 {
        // All are opened at the first node.
        let (store, q) = (nodes[0].open(&format!("app{number}")).await, queue("q"));
        let ops = vec![append(&q, "a"), append(&queue("other"), "b")];
        store.commit(ops).await.expect("one commit is in one slot");
        assert_eq!(store.depth(q).await.unwrap().entries, 1);
        let slot = nodes[0].run(&["CLUSTER", "KEYSLOT", &format!("{{wfh:app{number}}}:time")]);
        homes.insert(slot.parse::<u32>().unwrap() > 8191);
    }
    assert_eq!(homes.len(), 2, "all apps were on one node, so nothing was shown");
}
