//! What guests may be given, one WIT interface a file.

pub(crate) mod config;
pub(crate) mod event;
