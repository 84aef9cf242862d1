//! `/v1/schedules`: points in time, standing still, going on, running now.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use wfh_invoke::ScheduleStatus;

use crate::api::Shared;
use crate::operating::{Id, Operating, actor, time};
use crate::page::Page;
use crate::params::{Nothing, Params};
use crate::problem::Problem;

/// A schedule and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Schedule {
    /// The trigger's name.
    name: String,
    /// When it fires, as the manifest says.
    schedule: String,
    /// What it calls.
    target: String,
    /// Whether it stands still.
    paused: bool,
    /// Its next point in time, RFC 3339; null while it stands still, or before it was looked at.
    #[schema(required)]
    next_at: Option<String>,
    /// The last one that fired, RFC 3339; null before the first.
    #[schema(required)]
    last_at: Option<String>,
}

impl From<ScheduleStatus> for Schedule {
    fn from(status: ScheduleStatus) -> Self {
        let state = status.state.as_ref();
        let next = state.filter(|state| !state.paused && state.next_at_ms < u64::MAX);
        Self {
            name: status.name,
            schedule: status.scheduled.when,
            target: status.scheduled.target.to_string(),
            paused: state.is_some_and(|state| state.paused),
            next_at: next.map(|state| time(state.next_at_ms)),
            last_at: state.and_then(|state| state.last_at_ms).map(time),
        }
    }
}

/// The schedules of the manifest.
#[utoipa::path(get, path = "/v1/schedules", tag = "schedules", responses(
    (status = 200, description = "All of them", body = Page<Schedule>),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Operating(operator): Operating,
    _: Params<Nothing>,
) -> Result<Json<Page<Schedule>>, Problem> {
    let items = operator.schedules().await?.into_iter().map(Schedule::from).collect();
    Ok(Json(Page { items, next: None }))
}

/// Lets a schedule stand still, also over restarts. What it misses meanwhile does not fire later.
#[utoipa::path(post, path = "/v1/schedules/{name}/pause", tag = "schedules",
    params(("name" = String, Path, description = "The trigger")),
    responses(
        (status = 204, description = "It stands still"),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn pause(
    State(shared): State<Shared>,
    Operating(operator): Operating,
    Id(name): Id,
    _: Params<Nothing>,
) -> Result<StatusCode, Problem> {
    operator.set_paused(&name, true, &actor(&shared)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a schedule go on, from now.
#[utoipa::path(post, path = "/v1/schedules/{name}/resume", tag = "schedules",
    params(("name" = String, Path, description = "The trigger")),
    responses(
        (status = 204, description = "It goes on"),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn resume(
    State(shared): State<Shared>,
    Operating(operator): Operating,
    Id(name): Id,
    _: Params<Nothing>,
) -> Result<StatusCode, Problem> {
    operator.set_paused(&name, false, &actor(&shared)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Fires a schedule now, beside its own points in time, also one that stands still.
#[utoipa::path(post, path = "/v1/schedules/{name}/run", tag = "schedules",
    params(("name" = String, Path, description = "The trigger")),
    responses(
        (status = 202, description = "Its event is durable", body = crate::dead_letters::Accepted),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn run(
    State(shared): State<Shared>,
    Operating(operator): Operating,
    Id(name): Id,
    _: Params<Nothing>,
) -> Result<(StatusCode, Json<crate::dead_letters::Accepted>), Problem> {
    let id = operator.run_schedule(&name, &actor(&shared)).await?;
    Ok((StatusCode::ACCEPTED, Json(crate::dead_letters::Accepted { id })))
}
