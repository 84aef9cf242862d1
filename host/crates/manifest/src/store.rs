//! `[store]`, `[kafka]` and `[redis]`: where things are kept, and the defaults of outside servers.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Setting;
use crate::read::{Node, Reader, days, hours, minutes, table, words};

table! {
    /// Where queues, keys and records are kept.
    #[check(server_is_of_redis)]
    pub struct Store: Default {
        /// `embedded`: a file in the data directory; `redis`: shared between replicas.
        kind: StoreKind = StoreKind::Embedded,
        /// The Redis server; without it that of `[redis]`.
        url: Option<String>,
        /// `strict` refuses a Redis without an append-only file or with an evicting policy.
        durability: Durability = Durability::Strict,
        /// How many replicas of the Redis server must have a write before it counts as done.
        wait_replicas: u32 [0..=16] = 0,
        /// How long the status of an asynchronous call can be read after its last change.
        invocations_ttl: Duration [minutes(1)..=days(365)] = hours(24),
        /// How long a dead letter is kept.
        dead_letters_ttl: Duration [minutes(1)..=days(3_650)] = days(30),
    }
}

fn server_is_of_redis(store: &Store, node: &Node<'_>, reader: &mut Reader<'_>) {
    if store.kind == StoreKind::Embedded && store.url.is_some() {
        reader.report_at(node, "url", "only a store with `kind = \"redis\"` has a url");
    }
    if store.kind == StoreKind::Embedded && store.wait_replicas > 0 {
        let told = "only a store with `kind = \"redis\"` has replicas";
        reader.report_at(node, "wait_replicas", told);
    }
}

words! {
    /// What keeps the store.
    pub enum StoreKind {
        /// A file in the data directory.
        Embedded = "embedded",
        /// A Redis server, shared between replicas.
        Redis = "redis",
    }
}

words! {
    /// What is asked of a Redis that keeps the store.
    pub enum Durability {
        /// An append-only file and no evicting policy.
        Strict = "strict",
        /// Nothing.
        Relaxed = "relaxed",
    }
}

table! {
    /// Defaults of everything that talks to Kafka.
    pub struct Kafka: Default {
        /// The brokers, `HOST:PORT` with commas between.
        brokers: String = "localhost:9092".to_owned(),
        /// Any key of librdkafka, as a text, or as `{ env = "NAME" }` or `{ file = "..." }`.
        options: BTreeMap<String, Setting>,
    }
}

table! {
    /// Defaults of everything that talks to Redis.
    pub struct Redis: Default {
        /// The server, as `redis://` or `rediss://`.
        url: String = "redis://localhost:6379".to_owned(),
    }
}
