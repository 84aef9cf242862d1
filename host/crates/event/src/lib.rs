//! The vocabulary of an event: envelope, names, identifiers, targets, failure classes, error codes.
//!
//! Layer L0: pure values. This crate must not know tokio, wasmtime, sockets, files or a clock; it
//! parses, prints and classifies. Its main type is [`Event`].

mod code;
mod envelope;
mod failure;
mod id;
mod key_part;
mod name;
mod target;

pub use code::ErrorCode;
pub use envelope::{Event, EventError};
pub use failure::{Failure, FailureClass, SpanStatus, gist};
pub use id::{EventId, InvocationId, ParseInvocationIdError};
pub use key_part::{JsonPath, JsonPathError, KeyPart};
pub use name::{
    AppName, FunctionName, NameError, QueueName, SecretName, StreamName, TopicName, TriggerName,
};
pub use target::{ParseTargetError, Target};
