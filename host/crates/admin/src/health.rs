//! `/healthz` and `/readyz`: for probes, without a token.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Shared;
use crate::params::{Nothing, Params};
use crate::problem::Problem;

/// That the process answers.
#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// Whether the host takes work.
#[derive(Serialize, ToSchema)]
struct Readiness {
    /// `ready` or `not ready`.
    status: &'static str,
    /// What it still waits for, by part.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    waiting: BTreeMap<String, String>,
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()), responses(
    (status = 200, description = "It does", body = Health),
    (status = 400, description = "A query, which this path does not take", body = Problem),
))]
pub(crate) async fn healthz(_: Params<Nothing>) -> Response {
    Json(Health { status: "ok" }).into_response()
}

/// Whether every function is compiled and every trigger bound, and the host is not draining.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses(
    (status = 200, description = "Ready", body = Readiness),
    (status = 503, description = "Not ready, with what it waits for", body = Readiness),
))]
pub(crate) async fn readyz(State(shared): State<Shared>, _: Params<Nothing>) -> Response {
    let waiting: BTreeMap<_, _> = shared.sources.status.waiting().into_iter().collect();
    let (code, status) = match waiting.is_empty() {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    (code, Json(Readiness { status, waiting })).into_response()
}
