//! The manifest `wfh.toml`: text in, valid typed values or every error at once out.
//!
//! Layer L0: pure values. This crate must not know tokio, wasmtime, sockets, a clock, files or the
//! environment; the caller passes the text and a way to look variables up. Its main type is
//! [`Manifest`].
//!
//! Where to look: a key of the manifest is a field in the file of its table ([`app`](Manifest) in
//! `manifest.rs`, `[function]` in `function.rs`, ...). `read` holds how values are read, `validate`
//! what must hold between them, `route` the matcher of paths, `grant` what a function may call.

// A test that fails by a panic fails as it should.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod diagnostic;
mod function;
mod grant;
mod manifest;
mod queue;
mod read;
mod route;
mod server;
mod store;
mod trigger;
mod validate;

pub use bytesize::ByteSize;
pub use diagnostic::{Diagnostic, line_column, render};
pub use function::{
    Allow, Backoff, Breaker, Build, FailureDestination, FileGrant, Function, Idempotency, InitMode,
    Jitter, On, Retry, SecretSource, Setting,
};
pub use grant::{GrantError, HostPattern, HttpGrant, PortPattern, Scheme};
pub use ipnet::IpNet;
pub use manifest::{App, Manifest, Parsed};
pub use queue::{Queue, QueueOrder, Stream, StreamKind, Topic};
pub use read::{OneOrMany, Spans};
pub use route::{
    Lookup, Method, Parameters, Route, RouteConflict, RoutePattern, RoutePatternError, RouteTable,
};
pub use server::{
    Admin, Engine, Http, Limits, LogFormat, OtlpProtocol, Outgoing, Scheduler, Serve, Switch,
    Telemetry, Tls,
};
pub use store::{Durability, Kafka, Redis, Store, StoreKind};
pub use trigger::{
    Batch, Filter, HttpTrigger, KafkaOrder, KafkaStart, KafkaTrigger, Missed, Mode, QueueTrigger,
    RedisOrder, RedisSource, RedisStart, RedisTrigger, Schedule, ScheduleTrigger, Trigger,
    Triggers,
};
