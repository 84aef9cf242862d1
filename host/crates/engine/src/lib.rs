//! The sandbox: compiles components, instantiates a fresh one per invocation, holds it to its
//! limits and gives it only what its manifest grants.
//!
//! Layer L2, the adapter of wasmtime. This crate must not know triggers, stores or how a manifest
//! is written; it reads no environment variable. Its main types are [`Engine`] and [`Function`].

mod cache;
mod call;
mod capability;
mod concurrent;
mod config;
mod engine;
mod error;
mod function;
mod init;
mod inspect;
mod instance;
mod limiter;
mod log;
mod memory;
mod outgoing;
mod pool;
mod precompiled;
mod running;
mod sandbox;
#[cfg(test)]
#[path = "../tests/support/memory.rs"]
#[allow(dead_code, reason = "shared with the tests of tests/")]
mod testing;
mod ticker;

pub use config::{
    Capabilities, EngineConfig, FileGrant, FunctionConfig, InitMode, OutgoingConfig, PagemapScan,
};
pub use engine::Engine;
pub use error::EngineError;
pub use function::Function;
pub use outgoing::{Resolve, SystemResolver, tls_client};
pub use pool::pagemap_scan_is_available;
pub use running::on_background_thread_start;
