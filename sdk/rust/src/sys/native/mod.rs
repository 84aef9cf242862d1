//! A machine without a host: with the feature `test` its fakes, else nothing.

#[cfg(not(feature = "test"))]
mod absent;
pub(crate) mod trace;

#[cfg(feature = "test")]
pub(crate) use crate::test::fake::{client, config, log, publish, state, time};
#[cfg(not(feature = "test"))]
pub(crate) use absent::{client, config, log, publish, state, time};
