//! What the overview shows, and what changes of it.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant, SystemTime};

use askama::Template;
use wfh_event::gist;
use wfh_invoke::{BreakerState, FunctionState, FunctionStatus, LetterFilter};
use wfh_telemetry::attribute;

use super::Rate;
use crate::api::Shared;
use crate::operating::time;
use crate::problem::Problem;
use crate::traces::{self, Trace};

/// Rows of each table.
const ROWS_MAX: usize = 20;
/// Rates are those of at least so long.
const RATE_OVER: Duration = Duration::from_secs(1);
/// Calls whose durations are looked at.
const LATELY: Duration = Duration::from_secs(60);

#[derive(Template)]
#[template(path = "live.html")]
struct Live {
    functions: Vec<FunctionRow>,
    queues: Vec<QueueRow>,
    traces: Vec<Trace>,
    invocations: Vec<InvocationRow>,
}

struct FunctionRow {
    name: String,
    state: String,
    rate: String,
    errors: String,
    is_failing: bool,
    p99: String,
    in_flight: u64,
    breaker: &'static str,
    is_open: bool,
}

struct QueueRow {
    name: String,
    waiting: u64,
    running: u64,
    oldest: String,
}

struct InvocationRow {
    id: String,
    target: String,
    state: String,
    attempts: u32,
}

#[derive(Template)]
#[template(path = "letters.html")]
struct Letters {
    letters: Vec<LetterRow>,
}

struct LetterRow {
    id: String,
    function: String,
    class: String,
    detail: String,
    attempts: u32,
    dead_at: String,
    trace: Option<String>,
}

/// What changes all the time.
pub(super) async fn live(shared: &Shared) -> Result<String, Problem> {
    let (queues, invocations) = match &shared.sources.operator {
        None => (Vec::new(), Vec::new()),
        Some(operator) => {
            let queues = operator.queues().await?.into_iter().map(|queue| QueueRow {
                name: queue.target.to_string(),
                waiting: queue.depth.entries.saturating_sub(queue.depth.claimed),
                running: queue.depth.claimed,
                oldest: queue.depth.oldest_at_ms.map(time).unwrap_or_default(),
            });
            let known = operator.invocations(None, ROWS_MAX).await?.rows;
            let invocations = known.into_iter().map(|one| InvocationRow {
                id: one.id.to_string(),
                target: one.target.to_string(),
                state: format!("{:?}", one.state).to_lowercase(),
                attempts: one.attempts,
            });
            (queues.collect(), invocations.collect())
        }
    };
    let sources = shared.sources.status.lags().into_iter().map(|(part, lag)| QueueRow {
        name: match part.partition {
            Some(partition) => format!("{} ({}/{partition})", part.trigger, part.destination),
            None => format!("{} ({})", part.trigger, part.destination),
        },
        waiting: lag,
        running: 0,
        oldest: String::new(),
    });
    let page = Live {
        functions: functions(shared),
        queues: queues.into_iter().chain(sources).collect(),
        traces: recent(shared),
        invocations,
    };
    page.render().map_err(|error| Problem::broken(error.to_string()))
}

fn recent(shared: &Shared) -> Vec<Trace> {
    let kept = shared.sources.recent.as_deref();
    kept.map(|recent| traces::last(recent, None, ROWS_MAX)).unwrap_or_default()
}

/// Dead letters, which change seldom.
pub(super) async fn letters(shared: &Shared) -> Result<String, Problem> {
    let found = match &shared.sources.operator {
        None => Vec::new(),
        Some(operator) => operator.letters(&LetterFilter::default(), None, ROWS_MAX).await?.rows,
    };
    let row = |letter: wfh_invoke::DeadLetter| LetterRow {
        trace: letter.trace_id().map(str::to_owned),
        id: letter.id,
        function: letter.function,
        class: letter.class,
        detail: gist(&letter.detail).to_owned(),
        attempts: letter.attempts,
        dead_at: time(letter.dead_at_ms),
    };
    let page = Letters { letters: found.into_iter().map(row).collect() };
    page.render().map_err(|error| Problem::broken(error.to_string()))
}

fn functions(shared: &Shared) -> Vec<FunctionRow> {
    let slowest = slowest(shared);
    let rows = shared.sources.status.functions();
    rows.iter().map(|function| row(shared, function, &slowest)).collect()
}

fn row(
    shared: &Shared,
    function: &FunctionStatus,
    slowest: &HashMap<String, Duration>,
) -> FunctionRow {
    let name = function.name.to_string();
    let figures = function.figures.now();
    let failures = figures.failed.iter().map(|(_, count)| count).sum();
    let rate = rate(shared, &name, figures.calls, failures);
    let breaker = function.breaker.as_ref().map(|breaker| breaker.state());
    FunctionRow {
        state: match &function.state {
            FunctionState::Ready => "ready".to_owned(),
            FunctionState::Stale { reason } => format!("stale: {reason}"),
        },
        rate: format!("{:.1}", rate.per_second),
        errors: format!("{:.1} %", rate.failed * 100.0),
        is_failing: rate.failed > 0.0,
        p99: slowest
            .get(&name)
            .map(|p99| format!("{:.2} ms", p99.as_secs_f64() * 1e3))
            .unwrap_or_default(),
        in_flight: figures.in_flight,
        breaker: breaker.map_or("none", BreakerState::as_str),
        is_open: breaker.is_some_and(|state| state != BreakerState::Closed),
        name,
    }
}

/// What came since somebody looked last.
#[allow(clippy::cast_precision_loss, reason = "counts of seconds")]
fn rate(shared: &Shared, name: &str, calls: u64, failures: u64) -> Rate {
    let mut rates = shared.console.rates.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let first = Rate { at: now, calls, failures, per_second: 0.0, failed: 0.0 };
    let rate = rates.entry(name.to_owned()).or_insert(first);
    let over = now - rate.at;
    if over >= RATE_OVER {
        let (new, failed) =
            (calls.saturating_sub(rate.calls), failures.saturating_sub(rate.failures));
        let per_second = new as f64 / over.as_secs_f64();
        let share = if new == 0 { 0.0 } else { failed as f64 / new as f64 };
        *rate = Rate { at: now, calls, failures, per_second, failed: share };
    }
    *rate
}

/// The 99th percentile of each function's last calls, as far as their spans are kept.
fn slowest(shared: &Shared) -> HashMap<String, Duration> {
    let Some(recent) = &shared.sources.recent else { return HashMap::new() };
    let since = SystemTime::now().checked_sub(LATELY).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut durations: HashMap<String, Vec<Duration>> = HashMap::new();
    for span in recent.spans().iter().filter(|span| span.ended >= since) {
        let name = span.attributes.iter().find(|pair| pair.key.as_str() == attribute::FAAS_NAME);
        if let Some(name) = name {
            let took = span.ended.duration_since(span.began).unwrap_or_default();
            durations.entry(name.value.to_string()).or_default().push(took);
        }
    }
    let p99 = |mut all: Vec<Duration>| {
        all.sort_unstable();
        let at = all.len() * 99 / 100;
        all.get(at).or(all.last()).copied().unwrap_or_default()
    };
    durations.into_iter().map(|(name, all)| (name, p99(all))).collect()
}
