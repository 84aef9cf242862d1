//! `/v1/functions`: what runs.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use wfh_event::{FailureClass, FunctionName};
use wfh_invoke::{BreakerState, FunctionKind, FunctionState, FunctionStatus};

use crate::api::Shared;
use crate::page::{Page, PageParams};
use crate::params::{Named, Nothing, Params};
use crate::problem::Problem;

/// One function: what it is, what it is held to, what it did since the host started.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Function {
    /// Its name in the manifest.
    name: String,
    /// Whether it answers.
    state: State_,
    /// Why the last change was refused; only when `state` is `stale`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// How it is called.
    kind: Kind,
    /// The interface it exports.
    exports: &'static str,
    /// The size of the component, in bytes.
    component_bytes: u64,
    /// The size of its compiled code, in bytes.
    compiled_bytes: u64,
    /// Whether the compiled code came from the cache.
    cached: bool,
    /// How long loading took in all, in milliseconds.
    load_ms: f64,
    /// How long compiling took, in milliseconds; null when it came from the cache.
    #[schema(required)]
    compile_ms: Option<f64>,
    /// How long its init ran before the snapshot, in milliseconds; null without one, or when it
    /// came from the cache.
    #[schema(required)]
    init_ms: Option<f64>,
    /// The size of the snapshot, in bytes; null as `init_ms` is.
    #[schema(required)]
    snapshot_bytes: Option<u64>,
    /// What it is held to.
    limits: Limits,
    /// What its breaker does with the next call; null without one.
    #[schema(required)]
    breaker: Option<Breaker>,
    /// How long the breaker has not been closed, in milliseconds; null while it is.
    #[schema(required)]
    breaker_open_ms: Option<u64>,
    /// How long until it lets one call try, in milliseconds; null while it is closed.
    #[schema(required)]
    breaker_tries_in_ms: Option<u64>,
    /// Calls that began, those refused at a limit among them.
    calls: u64,
    /// Calls that wait for their turn or run.
    in_flight: u64,
    /// Calls that failed; those whose caller left do not count.
    failures: u64,
    /// Calls that failed, and those whose caller left (`cancelled`), by class.
    failures_by_class: BTreeMap<&'static str, u64>,
}

/// Whether a function answers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = State)]
enum State_ {
    /// It takes calls.
    Ready,
    /// It takes calls with the version before: the last change was refused.
    Stale,
}

/// How a function is called.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// With HTTP requests.
    Http,
    /// With one event at a time.
    Event,
    /// With several events at once.
    Batch,
}

/// What a breaker does with the next call.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Breaker {
    /// It lets calls through and counts.
    Closed,
    /// It refuses calls.
    Open,
    /// One call tries; the others are refused.
    HalfOpen,
}

impl From<BreakerState> for Breaker {
    fn from(state: BreakerState) -> Self {
        match state {
            BreakerState::Closed => Self::Closed,
            BreakerState::Open => Self::Open,
            BreakerState::HalfOpen => Self::HalfOpen,
        }
    }
}

/// What a function is held to.
#[derive(Debug, Serialize, ToSchema)]
struct Limits {
    /// The longest a call may take, in milliseconds.
    timeout_ms: u64,
    /// The memory of one instance, in bytes.
    memory_bytes: u64,
    /// Calls in flight at once.
    concurrency: u64,
    /// How long a caller waits for its turn, in milliseconds.
    queue_timeout_ms: u64,
    /// Calls an instance may serve.
    reuse: u32,
    /// The largest request body, in bytes.
    body_bytes_max: u64,
}

/// The functions, in order of their names.
#[utoipa::path(get, path = "/v1/functions", tag = "functions", params(PageParams), responses(
    (status = 200, description = "A page of functions", body = Page<Function>),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Params(params): Params<PageParams>,
) -> Result<Json<Page<Function>>, Problem> {
    let limit = params.limit()?;
    let after = match &params.cursor {
        None => None,
        Some(text) => Some(text.parse::<FunctionName>().map_err(|_| {
            Problem::parameter(format!("{text:?} is not a cursor of this listing"))
        })?),
    };
    let functions = shared.sources.status.functions();
    let begin = functions.partition_point(|function| Some(&function.name) <= after.as_ref());
    let mut rest = functions.iter().skip(begin);
    let items: Vec<Function> = rest.by_ref().take(limit).map(Function::from).collect();
    let more = rest.next().is_some();
    let next = items.last().filter(|_| more).map(|last| last.name.clone());
    Ok(Json(Page { items, next }))
}

/// One function.
#[utoipa::path(get, path = "/v1/functions/{name}", tag = "functions",
    params(("name" = String, Path, description = "The function")),
    responses(
        (status = 200, description = "The function", body = Function),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn one(
    State(shared): State<Shared>,
    Named(name): Named,
    _: Params<Nothing>,
) -> Result<Json<Function>, Problem> {
    let functions = shared.sources.status.functions();
    let found = functions.iter().find(|function| function.name == name);
    found.map(|function| Json(function.into())).ok_or_else(|| unknown(&name))
}

pub(crate) fn unknown(name: &FunctionName) -> Problem {
    Problem::not_found(format!("there is no function {name}"))
}

impl From<&FunctionStatus> for Function {
    fn from(status: &FunctionStatus) -> Self {
        let (facts, policy, figures) = (&status.component, &status.policy, status.figures.now());
        let (kind, exports) = kind(facts.kind);
        let (state, reason) = match &status.state {
            FunctionState::Ready => (State_::Ready, None),
            FunctionState::Stale { reason } => (State_::Stale, Some(reason.clone())),
        };
        let open = status.breaker.as_ref().and_then(|cell| cell.open_for());
        let counted = figures.failed.iter().filter(|(class, _)| *class != FailureClass::Cancelled);
        Self {
            name: status.name.to_string(),
            state,
            reason,
            kind,
            exports,
            component_bytes: facts.component_bytes,
            compiled_bytes: facts.compiled_bytes,
            cached: facts.is_cached,
            load_ms: milliseconds(facts.load_time),
            compile_ms: facts.compile_time.map(milliseconds),
            init_ms: facts.init_time.map(milliseconds),
            snapshot_bytes: facts.snapshot_bytes,
            limits: Limits {
                timeout_ms: whole_milliseconds(policy.timeout),
                memory_bytes: status.memory_bytes_max,
                concurrency: policy.concurrency as u64,
                queue_timeout_ms: whole_milliseconds(policy.queue_timeout),
                reuse: status.reuse,
                body_bytes_max: policy.bounds.body_bytes_max,
            },
            breaker: status.breaker.as_ref().map(|cell| cell.state().into()),
            breaker_open_ms: open.map(|(since, _)| whole_milliseconds(since)),
            breaker_tries_in_ms: open.map(|(_, left)| whole_milliseconds(left)),
            calls: figures.calls,
            in_flight: figures.in_flight,
            failures: counted.map(|(_, count)| count).sum(),
            failures_by_class: figures.failed.iter().map(|(c, n)| (c.as_str(), *n)).collect(),
        }
    }
}

fn kind(kind: FunctionKind) -> (Kind, &'static str) {
    match kind {
        FunctionKind::HttpP2 => (Kind::Http, "wasi:http/incoming-handler@0.2"),
        FunctionKind::HttpP3 => (Kind::Http, "wasi:http/handler@0.3"),
        FunctionKind::Event => (Kind::Event, "wfh:function/handler@0.1"),
        FunctionKind::Batch => (Kind::Batch, "wfh:function/batch-handler@0.1"),
        FunctionKind::AsyncEvent => (Kind::Event, "wfh:function/async-handler@0.1"),
        FunctionKind::AsyncBatch => (Kind::Batch, "wfh:function/async-batch-handler@0.1"),
    }
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn whole_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
