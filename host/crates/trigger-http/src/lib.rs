//! HTTP in: accepts connections, decodes requests, finds their function, encodes answers.
//!
//! Layer L2, the adapter of hyper. This crate must not know an engine or a store; it calls whatever
//! the router gave it. Its main type is [`HttpTrigger`].

mod accept;
mod accepted;
mod answer;
mod config;
mod connection;
mod error;
mod problem;
mod request;
mod served;
mod service;
mod tls;
mod watch;

pub use accept::HttpTrigger;
pub use config::{HttpConfig, Route, RouteMode, Routes, TlsFiles};
pub use error::HttpTriggerError;
