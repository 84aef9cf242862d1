//! A store whose operations are measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use wfh_store::{
    Claim, Claimed, Depth, Effect, Entry, Key, Kv, Lease, Leased, Op, Queue, QueueKey, Receipt,
    Store, StoreError, Value,
};
use wfh_telemetry::meters;

/// Tells how long the store takes for what the way of an event waits for.
pub(crate) struct Measured(pub(crate) Arc<dyn Store>);

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

fn measured<'a, T: 'a>(operation: &'static str, answer: Answer<'a, T>) -> Answer<'a, T> {
    Box::pin(async move {
        let began = Instant::now();
        let answer = answer.await;
        meters().store(operation, began.elapsed());
        answer
    })
}

impl Kv for Measured {
    fn get(&self, key: Key) -> Answer<'_, Option<Value>> {
        measured("get", self.0.get(key))
    }

    fn list(&self, prefix: &str, after: Option<Key>, limit: u32) -> Answer<'_, Vec<(Key, Value)>> {
        measured("list", self.0.list(prefix, after, limit))
    }

    fn lease(&self, key: Key, ttl: Duration) -> Answer<'_, Leased> {
        measured("lease", self.0.lease(key, ttl))
    }

    fn renew(&self, lease: &Lease, ttl: Duration) -> Answer<'_, bool> {
        measured("renew", self.0.renew(lease, ttl))
    }

    fn give_back(&self, lease: &Lease) -> Answer<'_, ()> {
        self.0.give_back(lease)
    }
}

impl Queue for Measured {
    fn claim(&self, queue: QueueKey, claim: Claim) -> Answer<'_, Vec<Claimed>> {
        measured("claim", self.0.claim(queue, claim))
    }

    fn extend(&self, receipts: Vec<Receipt>, visibility: Duration) -> Answer<'_, Vec<bool>> {
        measured("extend", self.0.extend(receipts, visibility))
    }

    /// It waits for somebody else, which is no time of the store.
    fn claimable(&self, queue: QueueKey) -> Answer<'_, ()> {
        self.0.claimable(queue)
    }

    fn depth(&self, queue: QueueKey) -> Answer<'_, Depth> {
        self.0.depth(queue)
    }

    fn peek(&self, queue: QueueKey, after: Option<u64>, limit: u32) -> Answer<'_, Vec<Entry>> {
        self.0.peek(queue, after, limit)
    }

    fn queues(&self) -> Answer<'_, Vec<QueueKey>> {
        self.0.queues()
    }
}

impl Store for Measured {
    fn commit(&self, ops: Vec<Op>) -> Answer<'_, Vec<Effect>> {
        measured("commit", self.0.commit(ops))
    }
}
