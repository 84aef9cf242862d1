//! `/v1/functions/{name}/invocations`: calls a function, whatever kind it is of.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as AxumBody;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::HeaderName;
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::time::timeout;
use utoipa::IntoParams;
use wfh_event::{ErrorCode, Failure, FailureClass, FunctionName, Target};
use wfh_invoke::{HttpInput, Input, Invocation, collect_body, new_invocation_id, prefers_async};
use wfh_telemetry::TraceContext;

use crate::api::Shared;
use crate::functions::unknown;
use crate::params::{Named, Params};
use crate::problem::Problem;

mod payload;
mod run;

use payload::guest_request;
use run::{Answer, run};

/// The request header that gives the method an HTTP function sees.
pub const METHOD: HeaderName = HeaderName::from_static("wfh-invoke-method");
/// The request header that gives the path and query an HTTP function sees.
pub const PATH: HeaderName = HeaderName::from_static("wfh-invoke-path");
/// What precedes the name of a request header that the function sees without it.
pub const HEADER_PREFIX: &str = "wfh-invoke-header-";
/// The answer's header that tells `done` (the body is the function's) from `failed` (the body is a
/// problem).
pub const OUTCOME: HeaderName = HeaderName::from_static("wfh-outcome");
const INVOCATION_ID: HeaderName = HeaderName::from_static("wfh-invocation-id");

/// How long the payload may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// What an HTTP function sees; event functions do not look at it.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InvokeParams {
    /// The method; wins over the header `wfh-invoke-method`. POST without both.
    method: Option<String>,
    /// The path, with its query; wins over the header `wfh-invoke-path`. `/` without both.
    path: Option<String>,
}

/// Calls the function; the body is its payload. The answer is the function's own, status and all:
/// its header `wfh-outcome` is `done`. When the function failed it is `failed`, and the body is a
/// problem.
#[utoipa::path(post, path = "/v1/functions/{name}/invocations", tag = "invocations",
    params(
        ("name" = String, Path, description = "The function"),
        InvokeParams,
        ("prefer" = Option<String>, Header, description = "`respond-async`: accept it and answer at once"),
    ),
    request_body(content = Vec<u8>, content_type = "*/*", description = "The payload"),
    responses(
        (status = 200, description = "The function's answer", content_type = "*/*"),
        (status = 202, description = "Accepted, to run later", body = crate::dead_letters::Accepted),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn invoke(
    State(shared): State<Shared>,
    Named(name): Named,
    Params(params): Params<InvokeParams>,
    request: Request,
) -> Result<Response, Problem> {
    check(&shared, &name)?;
    let later = prefers_async(request.headers());
    let (head, body) = request.into_parts();
    let body = payload(body, shared.config.body_bytes_max).await?;
    let request = guest_request(&name, &head, &params, body)?;
    let trace = TraceContext::of_request(&head.headers);
    let route: Arc<str> = format!("/v1/functions/{name}/invocations").into();
    let id = new_invocation_id();
    let invocation = Invocation {
        id,
        target: Target::Function(name),
        deadline: None,
        hops: 0,
        attempts_max: 1,
        trace,
        phases: None,
        input: Input::Http(Box::new(HttpInput { request, route })),
    };
    if later {
        return accept(&shared, invocation).await;
    }
    let (mut response, outcome) = match run(&shared, invocation).await {
        Ok(Answer(response)) => (response.map(AxumBody::new), "done"),
        Err(failure) => (Problem::of_failure(&failure, id).into_response(), "failed"),
    };
    let headers = response.headers_mut();
    headers.insert(OUTCOME, HeaderValue::from_static(outcome));
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(INVOCATION_ID, id);
    }
    Ok(response)
}

/// Makes it durable, to run later.
async fn accept(shared: &Shared, invocation: Invocation) -> Result<Response, Problem> {
    let id = invocation.id;
    let Some(stacked) = shared.sources.dispatcher.find(&invocation.target) else {
        return Err(Problem::not_found(format!("there is no {}", invocation.target)));
    };
    if stacked.acceptor.is_none() {
        let detail = "this host has no store to accept calls in: leave `Prefer: respond-async` out";
        return Err(Problem::not_kept(detail));
    }
    let accepted = stacked.accept(invocation).await;
    let accepted = accepted.map_err(|failure| Problem::of_failure(&failure, id))?;
    let id = accepted.id.to_string();
    let location = format!("/v1/invocations/{id}");
    let body = axum::Json(serde_json::json!({ "id": id }));
    let headers = [(http::header::LOCATION, location), (INVOCATION_ID, id)];
    Ok((StatusCode::ACCEPTED, headers, body).into_response())
}

/// What can be refused before the payload is read.
fn check(shared: &Shared, name: &FunctionName) -> Result<(), Problem> {
    let waiting = shared.sources.status.waiting();
    if let Some((part, reason)) = waiting.first() {
        let detail = format!("the host is not ready: {part}: {reason}");
        let unavailable = FailureClass::Unavailable;
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, unavailable.code(), detail);
        return Err(problem.retry_after(Duration::from_secs(1)).closing());
    }
    if shared.sources.dispatcher.find(&Target::Function(name.clone())).is_none() {
        return Err(unknown(name).closing());
    }
    Ok(())
}

/// The body of a request, within its bounds.
pub(crate) async fn payload(body: AxumBody, bytes_max: u64) -> Result<bytes::Bytes, Problem> {
    let body = body
        .map_err(|error| Failure::new(FailureClass::Cancelled, error.to_string()))
        .boxed_unsync();
    let bad =
        |detail| Problem::new(StatusCode::BAD_REQUEST, ErrorCode::BadRequest, detail).closing();
    match timeout(BODY_TIMEOUT, collect_body(body, bytes_max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(failure)) if failure.class == FailureClass::TooLarge => {
            Err(Problem::too_large(bytes_max))
        }
        Ok(Err(failure)) => Err(bad(format!("the body broke off: {}", failure.detail))),
        Err(_) => Err(bad(format!("the body did not arrive within {BODY_TIMEOUT:?}"))),
    }
}
