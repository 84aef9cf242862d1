//! The store on real Redis servers, which each test starts for itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod cluster;
mod conformance;
mod failover;
mod kill;
mod memory;
mod open;
mod server;
mod share;
