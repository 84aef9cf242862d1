//! Write functions for wfh in Rust.
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib"]
//!
//! [dependencies]
//! wfh = { package = "wfh-sdk", git = "https://github.com/wfh-project/wfh" }
//! ```
//!
//! ```
//! use wfh::{Body, Request, Response, Result};
//!
//! #[wfh::http]
//! async fn handle(_request: Request<Body>) -> Result<Response<Body>> {
//!     Ok(Response::new("hello, world\n".into()))
//! }
//! ```
//!
//! Built with `cargo build --release --target wasm32-wasip2`, this is a component that `wfh serve`
//! runs. What a function is called with is chosen by an attribute: [`macro@http`], [`event`] or
//! [`batch`]; [`init`] runs before the snapshot. What it may reach is a module each: [`client`],
//! [`state`], [`publish`], [`mod@config`], [`secret`]. A component imports only what its code uses.
//! `tracing` records go to the host's log, with their level and fields; `LOG_LEVEL` in the function's
//! environment sets the least that is let through (`info` without it). `tracing` spans are spans of the
//! invocation's trace, with the records in them as their events.
//!
//! With the feature `p3` the components are of WASI 0.3 instead of 0.2; the code stays the same.
//!
//! Natively the same code runs under `cargo test`, with the feature `test` and its fakes of the host
//! (module `test`). Natively without that feature there is no host, and every capability says so.
//!
//! The SDK holds no random state that a snapshot could freeze: what it needs it asks the host for at
//! each call. A `HashMap`'s seed is Rust's and is frozen by [`init`]; see there.
//!
//! This crate knows the WIT in its folder `wit` and nothing of how the host is made. Its main types
//! are [`Event`], [`Body`] and [`Error`].

#![cfg_attr(
    not(any(target_family = "wasm", feature = "test")),
    allow(dead_code, reason = "natively, only tests call handlers")
)]
#![deny(missing_docs)]

// The attributes write `::wfh`, also in this crate's own tests.
extern crate self as wfh;

#[doc(hidden)]
#[path = "export.rs"]
pub mod __private;
mod batch;
#[cfg(target_family = "wasm")]
mod bindings;
mod body;
pub mod client;
pub mod config;
mod envelope;
mod error;
mod event;
mod init;
mod log;
mod outgoing;
pub mod publish;
mod reply;
mod response;
pub mod secret;
pub mod state;
mod sys;
#[cfg(all(feature = "test", not(target_family = "wasm")))]
pub mod test;
#[cfg(test)]
mod tests;
mod time;

pub use ::http::{self, HeaderValue, Method, Request, Response, StatusCode, Uri};
pub use bytes::Bytes;
pub use tracing;

pub use batch::BatchReply;
pub use body::{Body, BodyError};
pub use envelope::Context;
pub use error::{Error, Reject, Result, RetryAfter};
pub use event::{Event, Payload, Raw};
pub use init::IntoInit;
pub use outgoing::Outgoing;
pub use reply::{IntoReply, Reply};
pub use response::{IntoResponse, Json};
pub use time::sleep;

/// Exports an async function as the handler of HTTP requests (`wasi:http/incoming-handler`).
///
/// It takes a [`Request<Body>`](Request) and answers anything that is [`IntoResponse`], usually
/// [`Result<Response<Body>>`](Result). The bodies stream: the answer's head leaves when the function
/// returns, its body afterwards. An error becomes an answer as [`Error`] says: 500 without a detail,
/// if it is none of the SDK's, and the detail is logged. A parameter of the route, `{id}`, is the
/// header `wfh-path-id`.
///
/// If the SDK has another name than `wfh`: `#[wfh::http(crate = name)]`. This holds for each attribute.
///
/// ```
/// use wfh::{Body, Request, Response, Result};
///
/// #[wfh::http]
/// async fn echo(request: Request<Body>) -> Result<Response<Body>> {
///     Ok(Response::new(request.into_body()))
/// }
/// # fn main() {
/// # let request = Request::new(Body::from("hello"));
/// # assert_eq!(wfh::test::Host::new().request(echo, request).body(), "hello");
/// # }
/// ```
pub use wfh_sdk_macros::http;

/// Exports an async function as the handler of single events (`wfh:function/handler`).
///
/// It takes an [`Event<T>`](Event) and answers a [`Result`] of anything that is [`IntoReply`]. A
/// payload that is not a `T` is rejected and never retried. What an error means says [`Error`].
///
/// ```
/// use wfh::{Event, Result};
///
/// #[wfh::event]
/// async fn double(number: Event<u32>) -> Result<u32> {
///     Ok(number.data * 2)
/// }
/// # fn main() {
/// # let reply = wfh::test::Host::new().event(double, wfh::test::Delivery::json("21")).unwrap();
/// # assert_eq!(reply.read_json::<u32>().unwrap(), 42);
/// # }
/// ```
pub use wfh_sdk_macros::event;

/// Exports an async function as the handler of batches (`wfh:function/batch-handler`).
///
/// It takes the events of the batch whose payload parses, and answers a [`BatchReply`] that names
/// those that failed. The others of the batch are rejected by themselves. An error is the failure of
/// every event it was given.
///
/// ```
/// use wfh::{BatchReply, Event, Result};
///
/// #[wfh::batch]
/// async fn sum(numbers: Vec<Event<i64>>) -> Result<BatchReply> {
///     wfh::state::increment("sum", numbers.iter().map(|number| number.data).sum())?;
///     Ok(BatchReply::new())
/// }
/// # fn main() {
/// # let host = wfh::test::Host::new();
/// # let outcome = host.batch(sum, ["1", "2", "x"].map(wfh::test::Delivery::json));
/// # assert!(outcome.failed()[&2].is_rejection());
/// # assert_eq!(host.state_of("sum").as_deref(), Some(&b"3"[..]));
/// # }
/// ```
pub use wfh_sdk_macros::batch;

/// Exports a function that runs once, before the snapshot that every sandbox starts from
/// (`wfh:function/init`).
///
/// It answers nothing, or a `Result<(), E>` whose error refuses the function. It sees no environment,
/// configuration, secret, file, state or network, and secure random numbers are refused there. What
/// it reads once is frozen: the time, and the seed of every `HashMap` made by then and later in the
/// same way. A map whose keys strangers choose wants a hasher seeded at the first call.
///
/// ```
/// use std::sync::OnceLock;
///
/// static SQUARES: OnceLock<Vec<u64>> = OnceLock::new();
///
/// #[wfh::init]
/// fn prepare() {
///     SQUARES.get_or_init(|| (0..1_000).map(|n| n * n).collect());
/// }
/// # fn main() {}
/// ```
pub use wfh_sdk_macros::init;

/// The examples of the page in `docs/` are tested like those in here.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sdk-rust.md")]
struct DocumentationPage;
