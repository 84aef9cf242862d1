//! What every trigger shares that pulls events from somewhere.
//!
//! Layer L1. This crate must not know a broker, a backend, an engine or the manifest. A source gives
//! a [`Shard`] its records in order and is told which of them are settled; between the two are
//! filters, lanes, batches, calls, waits and pauses. [`Offsets`] knows what of a source may be
//! acknowledged as a whole. Its main type is [`Shard`].

mod call;
mod config;
mod filter;
mod invocation;
mod lanes;
mod marks;
mod offsets;
mod patience;
mod pause;
mod record;
mod shard;

pub use config::{BatchLimits, PullConfig};
pub use filter::{Filter, Passage};
pub use invocation::call;
pub use marks::{MARK_KEPT, Marks};
pub use offsets::Offsets;
pub use patience::patiently;
pub use pause::Pause;
pub use record::{Raw, Record, Settle, Settled};
pub use shard::{Puller, Shard, Stop};
