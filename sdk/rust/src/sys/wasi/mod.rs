//! The host's imports.

pub(crate) mod client;
pub(crate) mod config;
mod convert;
mod executor;
mod headers;
mod incoming;
pub(crate) mod log;
mod outgoing;
pub(crate) mod publish;
mod reactor;
pub mod serve;
pub(crate) mod state;
pub(crate) mod time;
