//! `/v1/openapi.json`: this API, described. Made from the handlers and their types.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};

use crate::api::Shared;
use crate::params::{Nothing, Params};
use crate::problem::Problem;

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "openapi", responses(
    (status = 200, description = "OpenAPI 3.1", body = serde_json::Value),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn document(State(shared): State<Shared>, _: Params<Nothing>) -> Response {
    let media_type = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, media_type)], shared.document.clone()).into_response()
}

/// What the handlers do not say.
pub(crate) fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("wfh admin API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("What the host runs, and calls of it. Errors are problem+json."));
    let mut document = OpenApiBuilder::new().info(info.build()).build();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    let scopes: [&str; 0] = [];
    document.security = Some(vec![SecurityRequirement::new("token", scopes)]);
    document
}
