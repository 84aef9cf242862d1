//! `/v1/invocations`: asynchronous calls, and what comes of them.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;
use wfh_invoke::{InvocationState, InvocationStatus};

use crate::dead_letters::Try;
use crate::operating::{Id, Operating, time};
use crate::page::{Page, PageParams, cursor, is_ulid};
use crate::params::{Nothing, Params};
use crate::problem::Problem;

/// An asynchronous call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AcceptedInvocation {
    /// Its id.
    id: String,
    /// What is called.
    target: String,
    /// How far it is.
    state: Progress,
    /// Tries that ended.
    attempts: u32,
    /// When it was accepted, RFC 3339.
    accepted_at: String,
    /// When it last changed, RFC 3339.
    updated_at: String,
    /// When its next try is due, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<String>,
    /// How the last try failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Try>,
    /// The dead letter it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter: Option<String>,
}

/// How far a call is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Progress {
    /// It waits for its first try.
    Queued,
    /// It runs.
    Running,
    /// It failed and waits for its next try.
    Waiting,
    /// It succeeded.
    Succeeded,
    /// It failed for good.
    Failed,
}

impl From<InvocationStatus> for AcceptedInvocation {
    fn from(status: InvocationStatus) -> Self {
        Self {
            id: status.id.to_string(),
            target: status.target.to_string(),
            state: match status.state {
                InvocationState::Queued => Progress::Queued,
                InvocationState::Running => Progress::Running,
                InvocationState::Waiting => Progress::Waiting,
                InvocationState::Succeeded => Progress::Succeeded,
                InvocationState::Failed => Progress::Failed,
            },
            attempts: status.attempts,
            accepted_at: time(status.accepted_at_ms),
            updated_at: time(status.updated_at_ms),
            due_at: status.due_at_ms.map(time),
            failure: status.failure.map(Try::from),
            dead_letter: status.dead_letter,
        }
    }
}

/// Asynchronous calls, oldest first.
#[utoipa::path(get, path = "/v1/invocations", tag = "invocations", params(PageParams), responses(
    (status = 200, description = "A page of calls", body = Page<AcceptedInvocation>),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Operating(operator): Operating,
    Params(params): Params<PageParams>,
) -> Result<Json<Page<AcceptedInvocation>>, Problem> {
    let found =
        operator.invocations(cursor(params.cursor.as_deref(), is_ulid)?, params.limit()?).await?;
    let items = found.rows.into_iter().map(AcceptedInvocation::from).collect();
    Ok(Json(Page { items, next: found.next }))
}

/// One asynchronous call.
#[utoipa::path(get, path = "/v1/invocations/{id}", tag = "invocations",
    params(("id" = String, Path, description = "The invocation")),
    responses(
        (status = 200, description = "How far it is", body = AcceptedInvocation),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn one(
    Operating(operator): Operating,
    Id(id): Id,
    _: Params<Nothing>,
) -> Result<Json<AcceptedInvocation>, Problem> {
    let parsed = id.parse().map_err(|error: wfh_event::ParseInvocationIdError| {
        Problem::not_found(error.to_string())
    })?;
    Ok(Json(operator.invocation(parsed).await?.into()))
}
