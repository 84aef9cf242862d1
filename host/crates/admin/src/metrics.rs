//! `/metrics`: what Prometheus reads, without a token.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use crate::api::Shared;
use crate::params::{Nothing, Params};
use crate::problem::Problem;

/// The text format's media type.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Gives metrics as text.
pub trait MetricSource: Send + Sync {
    /// All of them now, in Prometheus' text format.
    ///
    /// # Errors
    /// Why there are none.
    fn text(&self) -> futures_util::future::BoxFuture<'_, Result<String, String>>;
}

/// All metrics in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "health", security(()), responses(
    (status = 200, description = "The metrics", body = String,
        content_type = "text/plain; version=0.0.4; charset=utf-8"),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn metrics(
    State(shared): State<Shared>,
    _: Params<Nothing>,
) -> Result<Response, Problem> {
    let Some(source) = &shared.sources.metrics else {
        return Err(Problem::not_kept("this host collects no metrics"));
    };
    let text = source.text().await.map_err(Problem::broken)?;
    Ok(([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response())
}
