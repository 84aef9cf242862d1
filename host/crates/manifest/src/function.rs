//! `[function.NAME]`: a component, its bounds, its grants and what happens around a call.

mod allow;
mod policy;
mod secret;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use wfh_event::SecretName;

use crate::read::{
    Node, Reader, gibibytes, join, kibibytes, mebibytes, millis, minutes, seconds, table, words,
};

pub use allow::{Allow, FileGrant};
pub use policy::{Backoff, Breaker, FailureDestination, Idempotency, Jitter, On, Retry};
pub use secret::{SecretSource, Setting};

table! {
    /// A function: a component, its bounds, its grants and what happens around a call.
    #[check(rules)]
    pub struct Function {
        /// The component file, relative to the manifest.
        component: PathBuf,
        /// How long a call may take per attempt: CPU and waiting together, to the last byte out.
        timeout: Duration [millis(1)..=minutes(15)] = seconds(30),
        /// Linear memory of an instance.
        memory: ByteSize [kibibytes(64)..=gibibytes(4)] = mebibytes(128),
        /// Elements that each table of an instance may hold.
        tables_max: u32 [0..=10_000_000] = 20_000,
        /// Handles (files, bodies, pollables) that an instance may hold.
        handles_max: u32 [16..=1_000_000] = 1_024,
        /// Calls in flight at once; beyond it callers queue up to `queue_timeout`.
        concurrency: u32 [1..=1_000_000] = 64,
        /// How long a call waits for its turn before it is refused with 429.
        queue_timeout: Duration [millis(0)..=minutes(15)] = seconds(1),
        /// Asynchronous calls that may wait; beyond it callers are refused with 503.
        depth_max: u64 [1..=1_000_000_000] = 1_000_000,
        /// Invocations that an instance may serve; 1 is a fresh sandbox each time.
        reuse: u32 [1..=1_000_000] = 1,
        /// Invocations that an instance may serve at once; components of WASI 0.3 only.
        reuse_concurrency: u32 [1..=10_000] = 1,
        /// `strict`: a failing init keeps the host from starting; `lenient`: the component is then
        /// used without its snapshot; `off`: init does not run.
        init: InitMode = InitMode::Strict,
        /// What a call may print; the rest is cut off.
        log_bytes_max: ByteSize [ByteSize(0)..=gibibytes(1)] = mebibytes(1),
        /// The largest body that an event function is given; it comes in one piece.
        event_bytes_max: ByteSize [ByteSize(0)..=gibibytes(1)] = mebibytes(8),
        /// The largest request body; without it that of `[http]` holds.
        body_bytes_max: Option<ByteSize>,
        /// Outgoing calls of one invocation at once.
        outgoing_max: u32 [0..=10_000] = 16,
        /// Environment variables of the guest.
        env: BTreeMap<String, String>,
        /// Values that the guest reads through wasi:config.
        config: BTreeMap<String, String>,
        /// Secrets by the name under which the guest reads them; never printed.
        secrets: BTreeMap<SecretName, SecretSource> as "secret",
        /// What the function may reach; nothing by default.
        allow: Allow,
        /// How the component is built.
        build: Option<Build>,
        /// How often, and when, a failed call is tried again.
        retry: Retry,
        /// Makes repeated calls with one key run once; off without this table.
        idempotency: Option<Idempotency>,
        /// Stops calling a function that keeps failing; off without this table.
        breaker: Option<Breaker>,
        /// Where results of asynchronous calls go.
        on: On,
    }
}

fn rules(function: &Function, node: &Node<'_>, reader: &mut Reader<'_>) {
    if function.reuse_concurrency > function.reuse {
        let message = format!("{} is more than `reuse`", function.reuse_concurrency);
        reader.report_at(node, "reuse_concurrency", message);
    }
    if function.retry.sync && function.idempotency.is_none() {
        let message =
            "synchronous calls are retried only with an idempotency key; add `idempotency`";
        reader.report_at(node, "retry.sync", message);
    }
    for (name, value) in &function.env {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            reader.report_at(node, &join("env", name), "no environment can hold this variable");
        }
    }
}

words! {
    /// Whether init runs, and what a failing one does.
    pub enum InitMode {
        /// It keeps the host from starting.
        Strict = "strict",
        /// The component is used without its snapshot.
        Lenient = "lenient",
        /// It does not run.
        Off = "off",
    }
}

table! {
    /// How a component is built.
    pub struct Build {
        /// The command, run by `sh` in the manifest's directory.
        command: String,
        /// Globs of the files that it is built of, relative to the manifest; everything beside the
        /// manifest without them.
        watch: Vec<String>,
    }
}
