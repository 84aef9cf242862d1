//! WASI 0.3: the host runs the futures.

pub(crate) mod client;
#[path = "../failure.rs"]
mod failure;
pub mod serve;
pub(crate) mod time;

use wasip3::http::types::ErrorCode;
