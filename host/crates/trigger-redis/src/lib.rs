//! Redis: entries of streams and lists, given to functions, and events sent to streams.
//!
//! Layer L2. This crate must not know another backend, an engine or the manifest. What is common to
//! all triggers that pull is in `wfh-pull`; here is what belongs to Redis: consumer groups and what
//! is pending in them, lists read reliably, and how an event looks as an entry. Its main types are
//! [`RedisTrigger`] and [`RedisSink`].

mod answer;
mod config;
mod entry;
mod ledger;
mod link;
mod list;
mod server;
mod session;
mod sink;
mod source;
mod stream;
mod trigger;

pub use config::{RedisConfig, RedisSource, StreamConfig};
pub use server::{Server, ServerError};
pub use sink::RedisSink;
pub use trigger::RedisTrigger;
