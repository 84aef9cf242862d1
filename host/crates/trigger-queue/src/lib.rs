//! Entries of a queue in the store, given to a function in batches.
//!
//! Layer L2. It serves the queues of the manifest, and the queue that each function has for its
//! asynchronous calls. This crate must not know a backend, an engine or the manifest: it claims
//! through the port, and the function's own layers settle. Its main type is [`QueueTrigger`].

mod batch;
mod config;
mod trigger;

pub use config::QueueConfig;
pub use trigger::QueueTrigger;
