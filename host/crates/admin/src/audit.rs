//! `/v1/audit`: who changed what.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::operating::{Operating, time};
use crate::page::{Page, PageParams, cursor, is_ulid};
use crate::params::Params;
use crate::problem::Problem;

/// One change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// Its id; later entries have greater ones.
    id: String,
    /// When, RFC 3339.
    at: String,
    /// Who.
    actor: String,
    /// `deploy`, `redrive`, `discard`, `purge`, `pause`, `resume` or `run`.
    action: String,
    /// To what, such as `dead-letter:ID`.
    subject: String,
    /// How it was before.
    before: String,
    /// How it is since.
    after: String,
}

/// The changes that operators made, oldest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(PageParams), responses(
    (status = 200, description = "A page of changes", body = Page<AuditEntry>),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    Operating(operator): Operating,
    Params(params): Params<PageParams>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    let found =
        operator.audit_log(cursor(params.cursor.as_deref(), is_ulid)?, params.limit()?).await?;
    let items = found.rows.into_iter().map(|entry| AuditEntry {
        id: entry.id,
        at: time(entry.at_ms),
        actor: entry.actor.0,
        action: entry.action.as_str().to_owned(),
        subject: entry.subject,
        before: entry.before,
        after: entry.after,
    });
    Ok(Json(Page { items: items.collect(), next: found.next }))
}
