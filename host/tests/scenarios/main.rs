//! End-to-end scenarios: the real binary, real guests, real sockets.
//!
//! One module a theme. A test starts its own host on free ports through [`support::Setup`]; those
//! that measure time run alone. The machine's speed is allowed for in one place, [`support::SLACK`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test that fails by a panic fails as it should"
)]

mod support;

mod admin;
mod broken;
mod browser;
mod build;
mod cache;
mod cancel;
mod capabilities;
mod chain;
mod chaos;
mod chaos_streams;
mod cli;
mod concurrency;
mod connection;
mod console;
mod crash_points;
mod doctor;
mod fairness;
mod grants;
mod invoke;
mod kafka;
mod kinds;
mod limits;
mod logs;
mod malformed;
mod observability;
mod operate;
mod outgoing;
mod pipeline;
mod protocol;
mod quickstart;
mod redis_source;
mod redis_tls;
mod refused;
mod reuse;
mod rolling;
mod sdk;
mod shutdown;
mod store;
mod store_away;
mod store_redis;
mod streaming;
mod swap;
mod telemetry;
mod templates;
mod tls;
mod walk;
mod zoo;
