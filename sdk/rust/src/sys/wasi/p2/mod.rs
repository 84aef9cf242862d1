//! WASI 0.2: pollables, and an executor over them.

pub(crate) mod client;
mod executor;
#[path = "../failure.rs"]
mod failure;
mod headers;
mod incoming;
mod outgoing;
mod reactor;
pub mod serve;
pub(crate) mod time;

use wasip2::http::types::ErrorCode;
