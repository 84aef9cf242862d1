//! `/v1/queues`: what waits. A queue is named by its target, such as `queue:emails`, or
//! `function:NAME` for the asynchronous calls of a function.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use wfh_event::Target;
use wfh_invoke::{QueueEntry, QueueStatus};

use crate::api::Shared;
use crate::operating::{Id, Operating, actor, time};
use crate::page::{Page, PageParams};
use crate::params::{Nothing, Params};
use crate::problem::Problem;

/// A queue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Queue {
    /// Its name, such as `queue:emails`.
    name: String,
    /// Entries, claimed ones included.
    entries: u64,
    /// Bytes of them.
    bytes: u64,
    /// Entries that are claimed now.
    claimed: u64,
    /// When the oldest was appended, RFC 3339; null without one.
    #[schema(required)]
    oldest_at: Option<String>,
}

impl From<QueueStatus> for Queue {
    fn from(status: QueueStatus) -> Self {
        Self {
            name: status.target.to_string(),
            entries: status.depth.entries,
            bytes: status.depth.bytes,
            claimed: status.depth.claimed,
            oldest_at: status.depth.oldest_at_ms.map(time),
        }
    }
}

/// An entry of a queue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QueueEntry)]
pub(crate) struct Entry {
    /// Its number.
    seq: u64,
    /// When it was appended, RFC 3339.
    appended_at: String,
    /// How often it was received and not given back.
    receives: u32,
    /// Tries that ended.
    attempts: u32,
    /// The group it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// The event's attributes, and its data as text.
    #[schema(required)]
    event: Option<Value>,
}

impl From<QueueEntry> for Entry {
    fn from(entry: QueueEntry) -> Self {
        let event = entry.event.map(|event| {
            let mut fields: serde_json::Map<String, Value> = event
                .attributes()
                .map(|(name, value)| (name.to_owned(), value.to_owned().into()))
                .collect();
            if let Some(data) = &event.data {
                fields.insert("data".to_owned(), String::from_utf8_lossy(data).into());
            }
            Value::Object(fields)
        });
        Self {
            seq: entry.seq,
            appended_at: time(entry.appended_at_ms),
            receives: entry.receives,
            attempts: entry.attempts,
            group: entry.group,
            event,
        }
    }
}

fn target(name: &str) -> Result<Target, Problem> {
    name.parse().map_err(|error: wfh_event::ParseTargetError| Problem::not_found(error.to_string()))
}

/// The queues of the manifest, and those of its functions.
#[utoipa::path(get, path = "/v1/queues", tag = "queues", responses(
    (status = 200, description = "All of them", body = Page<Queue>),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Operating(operator): Operating,
    _: Params<Nothing>,
) -> Result<Json<Page<Queue>>, Problem> {
    let items = operator.queues().await?.into_iter().map(Queue::from).collect();
    Ok(Json(Page { items, next: None }))
}

/// Entries of a queue, by number; nobody is kept from them.
#[utoipa::path(get, path = "/v1/queues/{name}/entries", tag = "queues",
    params(("name" = String, Path, description = "The queue, such as `queue:emails`"), PageParams),
    responses(
        (status = 200, description = "A page of entries", body = Page<Entry>),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn entries(
    Operating(operator): Operating,
    Id(name): Id,
    Params(params): Params<PageParams>,
) -> Result<Json<Page<Entry>>, Problem> {
    let after = params.cursor.as_deref().map(str::parse).transpose();
    let after = after.map_err(|_| Problem::parameter("the cursor is none of this listing"))?;
    let limit = u32::try_from(params.limit()?).unwrap_or(u32::MAX);
    let found = operator.peek(&target(&name)?, after, limit).await?;
    let items = found.rows.into_iter().map(Entry::from).collect();
    Ok(Json(Page { items, next: found.next }))
}

/// What was thrown away.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Purged {
    /// Entries that are gone.
    purged: u64,
}

/// Empties a queue of what is in it now.
#[utoipa::path(delete, path = "/v1/queues/{name}/entries", tag = "queues",
    params(("name" = String, Path, description = "The queue, such as `queue:emails`")),
    responses(
        (status = 200, description = "They are gone", body = Purged),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn purge(
    State(shared): State<Shared>,
    Operating(operator): Operating,
    Id(name): Id,
    _: Params<Nothing>,
) -> Result<Json<Purged>, Problem> {
    let purged = operator.purge(&target(&name)?, &actor(&shared)).await?;
    Ok(Json(Purged { purged }))
}

/// Sends an event to a queue, a topic or a function: the body is a CloudEvent in binary or
/// structured mode, or becomes the data of one.
#[utoipa::path(post, path = "/v1/queues/{name}/entries", tag = "queues",
    params(("name" = String, Path, description = "The target, such as `queue:emails`")),
    request_body(content = Vec<u8>, content_type = "*/*", description = "The event, or its data"),
    responses(
        (status = 202, description = "It is durable", body = crate::dead_letters::Accepted),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn send(
    State(shared): State<Shared>,
    Operating(operator): Operating,
    Id(name): Id,
    _: Params<Nothing>,
    request: axum::extract::Request,
) -> Result<(StatusCode, Json<crate::dead_letters::Accepted>), Problem> {
    let target = target(&name)?;
    let (head, body) = request.into_parts();
    let body = crate::invocations::payload(body, shared.config.body_bytes_max).await?;
    let route = format!("/v1/queues/{name}/entries").into();
    let id = wfh_invoke::new_invocation_id();
    let request = http::Request::from_parts(head, body);
    let item = wfh_invoke::event_from_request(id, &route, request)
        .map_err(|failure| Problem::of_failure(&failure, id))?;
    let id = item.event.id.to_string();
    operator.send(&target, item.event).await?;
    Ok((StatusCode::ACCEPTED, Json(crate::dead_letters::Accepted { id })))
}
