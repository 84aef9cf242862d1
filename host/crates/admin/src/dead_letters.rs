//! `/v1/dead-letters`: events that failed for good.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use wfh_event::Target;
use wfh_invoke::LetterFilter;

use crate::api::Shared;
use crate::operating::{Id, Operating, actor, time};
use crate::page::{Page, cursor, is_derived_id, limit};
use crate::params::{Nothing, Params};
use crate::problem::Problem;

/// A dead letter.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetter {
    /// Its id.
    id: String,
    /// The function that did not take it.
    function: String,
    /// The version of the function then.
    function_version: String,
    /// When it died, RFC 3339.
    dead_at: String,
    /// `RetriesExhausted`, `EventAgeExceeded` or `Rejected`.
    condition: String,
    /// The class of the last failure.
    class: String,
    /// The last failure; a trap has its backtrace.
    detail: String,
    /// The end of what the function printed in its last try.
    #[serde(skip_serializing_if = "Option::is_none")]
    log_tail: Option<String>,
    /// Tries in all.
    attempts: u32,
    /// How the last tries ended.
    tries: Vec<Try>,
    /// The queue it came from.
    queue: String,
    /// The trace it belongs to.
    #[schema(required)]
    trace_id: Option<String>,
    /// The invocation that failed.
    invocation: String,
    /// The event with its headers, as it stood in the queue.
    record: Value,
}

/// How one try ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Try {
    /// When, RFC 3339.
    at: String,
    /// The class of its failure.
    class: String,
    /// The failure.
    detail: String,
}

impl From<wfh_invoke::Try> for Try {
    fn from(one: wfh_invoke::Try) -> Self {
        Self { at: time(one.at_ms), class: one.class, detail: one.detail }
    }
}

impl From<wfh_invoke::DeadLetter> for DeadLetter {
    fn from(letter: wfh_invoke::DeadLetter) -> Self {
        Self {
            trace_id: letter.trace_id().map(str::to_owned),
            invocation: letter.record.invocation.to_string(),
            // A record is plain data.
            record: serde_json::to_value(&letter.record).unwrap_or_default(),
            id: letter.id,
            function: letter.function,
            function_version: letter.function_version,
            dead_at: time(letter.dead_at_ms),
            condition: letter.condition,
            class: letter.class,
            detail: letter.detail,
            log_tail: letter.log_tail,
            attempts: letter.attempts,
            tries: letter.tries.into_iter().map(Try::from).collect(),
            queue: letter.queue,
        }
    }
}

/// Which letters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LetterParams {
    /// Items of a page, 1 to 1000; 100 without it.
    limit: Option<u16>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// Those of a function.
    function: Option<String>,
    /// Those whose last failure was of a class, such as `trap`.
    class: Option<String>,
    /// Those that died then or later, RFC 3339.
    since: Option<String>,
    /// Those that died before, RFC 3339.
    until: Option<String>,
}

fn instant(name: &str, text: Option<String>) -> Result<Option<u64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    let expected =
        |_| Problem::parameter(format!("{name} = {text:?}: expected a time as RFC 3339 has it"));
    let at = parsed.map_err(expected)?;
    Ok(Some(u64::try_from(at.as_millisecond()).unwrap_or(0)))
}

/// Dead letters, in the order of their ids.
#[utoipa::path(get, path = "/v1/dead-letters", tag = "dead-letters", params(LetterParams), responses(
    (status = 200, description = "A page of letters", body = Page<DeadLetter>),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Operating(operator): Operating,
    Params(params): Params<LetterParams>,
) -> Result<Json<Page<DeadLetter>>, Problem> {
    let limit = limit(params.limit)?;
    let filter = LetterFilter {
        function: params.function,
        class: params.class,
        since_ms: instant("since", params.since)?,
        until_ms: instant("until", params.until)?,
    };
    let found =
        operator.letters(&filter, cursor(params.cursor.as_deref(), is_derived_id)?, limit).await?;
    let items = found.rows.into_iter().map(DeadLetter::from).collect();
    Ok(Json(Page { items, next: found.next }))
}

/// One dead letter.
#[utoipa::path(get, path = "/v1/dead-letters/{id}", tag = "dead-letters",
    params(("id" = String, Path, description = "The letter")),
    responses(
        (status = 200, description = "The letter", body = DeadLetter),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn one(
    Operating(operator): Operating,
    Id(id): Id,
    _: Params<Nothing>,
) -> Result<Json<DeadLetter>, Problem> {
    Ok(Json(operator.letter(&id).await?.into()))
}

/// Where to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RedriveParams {
    /// A target such as `queue:emails`; without it, where the letter came from.
    target: Option<String>,
}

/// An invocation that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// Its id.
    pub(crate) id: String,
}

/// Sends a letter again, its tries counted anew. Asked twice, it is sent once.
#[utoipa::path(post, path = "/v1/dead-letters/{id}/redrive", tag = "dead-letters",
    params(("id" = String, Path, description = "The letter"), RedriveParams),
    responses(
        (status = 202, description = "It will run", body = Accepted),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn redrive(
    State(shared): State<Shared>,
    Operating(operator): Operating,
    Id(id): Id,
    Params(params): Params<RedriveParams>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let target: Option<Target> = params
        .target
        .map(|text| text.parse())
        .transpose()
        .map_err(|error: wfh_event::ParseTargetError| Problem::parameter(error.to_string()))?;
    let sent = operator.redrive(&id, target.as_ref(), &actor(&shared)).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { id: sent.to_string() })))
}

/// Throws a letter away.
#[utoipa::path(delete, path = "/v1/dead-letters/{id}", tag = "dead-letters",
    params(("id" = String, Path, description = "The letter")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn discard(
    State(shared): State<Shared>,
    Operating(operator): Operating,
    Id(id): Id,
    _: Params<Nothing>,
) -> Result<StatusCode, Problem> {
    operator.discard(&id, &actor(&shared)).await?;
    Ok(StatusCode::NO_CONTENT)
}
