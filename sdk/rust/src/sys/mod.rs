//! What stands behind the capabilities: the host's imports, or what a machine without a host offers.
//! Both have the same functions.

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
pub(crate) mod wasi;

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{client, config, log, publish, state, time, trace};
#[cfg(target_family = "wasm")]
pub(crate) use wasi::{client, config, log, publish, state, time, trace};
