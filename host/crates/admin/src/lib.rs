//! The admin API: health, functions, invocations, logs, metrics, traces, a document that describes
//! them, and the console.
//!
//! Layer L2. This crate must not know an engine, a store or a trigger: it reads [`Status`], calls
//! functions through a [`Dispatcher`], and gets log records from a [`LogSource`]. Its main types are
//! [`Admin`], the bound port, and [`Api`], what answers there. One resource is one file.
//!
//! [`Status`]: wfh_invoke::Status
//! [`Dispatcher`]: wfh_invoke::Dispatcher

mod accepted;
mod api;
mod audit;
mod config;
mod console;
mod dead_letters;
mod functions;
mod guard;
mod health;
mod invocations;
mod log_source;
mod logs;
mod metrics;
mod openapi;
mod operating;
mod page;
mod params;
mod problem;
mod queues;
mod schedules;
mod server;
mod traces;

pub use api::Api;
pub use config::{AdminConfig, Sources, Token};
pub use invocations::{HEADER_PREFIX, METHOD, OUTCOME, PATH};
pub use log_source::{
    LogLevel, LogPosition, LogQuery, LogReader, LogSource, ParseLogPositionError,
};
pub use metrics::MetricSource;
pub use server::Admin;
