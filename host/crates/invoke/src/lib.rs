//! The way of an invocation: what is passed, who may be called, and the policy between them.
//!
//! Layer L1. This crate must not know an engine, a backend, a socket or the manifest. Its main
//! types are [`Invocation`], the trait [`Invoke`] and the [`Dispatcher`] that triggers hold; the ports
//! [`Publisher`] and [`StateStore`] are what the host gives functions to send events and keep state.

mod body;
mod cloud_event;
mod dispatcher;
mod header_text;
mod http_event;
mod id;
mod invocation;
mod layer;
mod outcome;
mod outgoing;
mod state;
mod status;

pub use body::{Body, LimitedBody, bytes_body, collect_body, empty_body};
pub use cloud_event::{event_from_request, response_from_reply};
pub use dispatcher::{Dispatcher, FunctionPolicy, Router, Slot, Stack, WeakDispatcher};
pub use http_event::{reply_from_response, request_from_item};
pub use id::new_invocation_id;
pub use invocation::{HttpInput, HttpOrigin, Input, Invocation, Item};
pub use layer::{Admit, Concurrency, Deadline, HostLimit, Trace};
pub use outcome::{End, EventReply, Outcome, Reply, ReplyBody, Tail};
pub use outgoing::{Outgoing, PublishError, Publisher};
pub use state::{StateEntry, StateError, StatePage, StateResult, StateStore};
pub use status::{
    ComponentFacts, Figures, FiguresNow, FunctionKind, FunctionState, FunctionStatus, RecordBudget,
    Status,
};

use futures_util::future::BoxFuture;

/// What takes an invocation: the engine's functions and every policy layer before them.
pub trait Invoke: Send + Sync {
    /// Runs the invocation and gives one outcome per item, in the order of the items (an HTTP
    /// request is one item).
    ///
    /// Cancel-safe: dropping the future cancels the invocation and frees what it held.
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>>;
}
