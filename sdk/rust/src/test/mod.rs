//! Handlers under `cargo test`: fakes of the host, in memory. Feature `test`, never in a component.
//!
//! ```toml
//! [dev-dependencies]
//! wfh = { package = "wfh-sdk", git = "https://github.com/wfh-project/wfh", features = ["test"] }
//! ```
//!
//! ```
//! use wfh::test::{Delivery, Host};
//! use wfh::{Event, Outgoing, Reply, Result, state};
//!
//! #[wfh::event]
//! async fn count(visitor: Event<String>) -> Result<Reply> {
//!     let visits = state::increment(&visitor, 1)?;
//!     Ok(Reply::json(&visits)?.emit(Outgoing::new("topic:visits", "visit")))
//! }
//!
//! # fn main() {
//! let host = Host::new().state("Ada", "41");
//! let reply = host.event(count, Delivery::json(r#""Ada""#)).unwrap();
//! assert_eq!(reply.read_json::<i64>().unwrap(), 42);
//! assert_eq!(reply.emitted()[0].target(), "topic:visits");
//! assert_eq!(host.state_of("Ada").as_deref(), Some(&b"42"[..]));
//!
//! let rejected = host.event(count, Delivery::json("not JSON")).unwrap_err();
//! assert!(rejected.is_rejection());
//! # }
//! ```
//!
//! Time is the fake's own: a [`sleep`](crate::sleep) ends at once, and moves it on.
#![allow(clippy::panic, reason = "a test that cannot go on fails by a panic")]

mod delivery;
mod executor;
pub(crate) mod fake;
mod host;
mod outcome;

pub use delivery::Delivery;
pub use host::Host;
pub use outcome::{BatchOutcome, LogLine};
