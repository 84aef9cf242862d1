//! The host's imports. `p2` and `p3` hold what the two versions of WASI do differently: HTTP, time, and how
//! a handler is run.

pub(crate) mod config;
mod convert;
pub(crate) mod log;
pub(crate) mod publish;
pub(crate) mod state;
pub(crate) mod trace;

#[cfg(not(feature = "p3"))]
mod p2;
#[cfg(feature = "p3")]
mod p3;

#[cfg(not(feature = "p3"))]
pub use p2::serve;
#[cfg(not(feature = "p3"))]
pub(crate) use p2::{client, time};
#[cfg(feature = "p3")]
pub use p3::serve;
#[cfg(feature = "p3")]
pub(crate) use p3::{client, time};
