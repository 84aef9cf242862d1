//! What guests may be given, one WIT interface a file.

pub(crate) mod config;
pub(crate) mod event;
pub(crate) mod grants;
pub(crate) mod keyvalue;
pub(crate) mod log;
pub(crate) mod publish;
pub(crate) mod send;
pub(crate) mod state;
pub(crate) mod trace;
