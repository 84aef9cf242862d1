//! The way of an invocation: what is passed, who may be called, and the policy between them.
//!
//! Layer L1. This crate must not know an engine, a backend, a socket or the manifest. Its main
//! types are [`Invocation`], the trait [`Invoke`] and the [`Dispatcher`] that triggers hold; the ports
//! [`Publisher`] and [`StateStore`] are what the host gives functions to send events and keep state.

mod body;
mod cloud_event;
mod cookie;
mod dispatcher;
mod durable;
mod forward;
mod header_text;
mod http_event;
mod id;
mod invocation;
mod layer;
mod operate;
mod outcome;
mod outgoing;
mod prefer;
mod running;
mod schedule;
mod shutdown;
mod state;
mod state_kv;
mod status;
mod targets;

pub use body::{Body, LimitedBody, bytes_body, collect_body, empty_body};
pub use cloud_event::{
    STREAM_CONTENT_TYPE, STREAM_HOPS, event_from_request, event_from_structured, is_structured,
    response_from_reply, stream_attributes,
};
pub use cookie::CONSOLE_COOKIE;
pub use dispatcher::{Dispatcher, FunctionPolicy, Router, Slot, Stack, Stacked, WeakDispatcher};
pub use durable::{
    Accepted, Acceptor, DEAD_LETTERS, DeadLetter, Delivery, Destinations, Durability, Durable,
    DurablePolicy, Fate, Hold, InvocationState, InvocationStatus, KeyPolicy, Outside, Progress,
    Record, RetryPolicy, Try, Verdict, Version, delivered, progress_key, progress_prefix,
    settled_key, settled_prefix,
};
pub use forward::{Appending, Forward, Sink};
pub use http_event::{reply_from_response, request_from_item};
pub use id::new_invocation_id;
pub use invocation::{HttpInput, HttpOrigin, Input, Invocation, Item, event_key};
pub use layer::{
    Adapt, Admit, Bounds, Breaker, BreakerCell, BreakerPolicy, BreakerState, Concurrency, Deadline,
    HostLimit, Takes, Trace,
};
pub use operate::{
    Action, Actor, AuditEntry, LetterFilter, OperateError, Operator, QueueEntry, QueueStatus, Rows,
    ScheduleStatus,
};
pub use outcome::{End, EventReply, Outcome, Reply, ReplyBody, Tail};
pub use outgoing::{Outgoing, PublishError, Publisher, Sending, created};
pub use prefer::{RESPOND_ASYNC, prefers_async};
pub use running::Running;
pub use schedule::{
    Entered, SCHEDULE_TICK, ScheduleState, Scheduled, Schedules, schedule_attributes, schedule_key,
    tick,
};
pub use shutdown::Shutdown;
pub use state::{StateEntry, StateError, StatePage, StateResult, StateStore};
pub use state_kv::KvState;
pub use status::{
    ComponentFacts, Figures, FiguresNow, FunctionKind, FunctionState, FunctionStatus, RecordBudget,
    SourcePart, Status,
};
pub use targets::{DirectPublisher, Place, Targets, queue_key};

use futures_util::future::BoxFuture;

/// What takes an invocation: the engine's functions and every policy layer before them.
pub trait Invoke: Send + Sync {
    /// Runs the invocation and gives one outcome per item, in the order of the items (an HTTP
    /// request is one item).
    ///
    /// Cancel-safe: dropping the future cancels the invocation and frees what it held.
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Vec<Outcome>>;
}
