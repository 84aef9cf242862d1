//! Files of the console, out of the binary.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::problem::Problem;

const ASSETS: &[(&str, &str, &str)] = &[
    ("console.css", "text/css; charset=utf-8", include_str!("../../assets/console.css")),
    ("htmx.min.js", "text/javascript; charset=utf-8", include_str!("../../assets/htmx.min.js")),
    ("sse.min.js", "text/javascript; charset=utf-8", include_str!("../../assets/sse.min.js")),
];

/// One of them.
pub(crate) async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let found = ASSETS.iter().find(|(known, ..)| *known == name);
    let (_, media_type, text) = found.ok_or_else(|| Problem::not_found("no such file"))?;
    // They change with the binary, which says nothing of its version.
    Ok(([(CONTENT_TYPE, *media_type), (CACHE_CONTROL, "no-cache")], *text).into_response())
}
