//! The API as a service: resources, guard, and what answers a path that is none.

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_service::Service;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wfh_event::{ErrorCode, Failure, FailureClass};
use wfh_invoke::Body;

use crate::console::{self, Console};
use crate::guard::{Rate, guard};
use crate::problem::Problem;
use crate::{
    AdminConfig, Sources, accepted, audit, dead_letters, functions, health, invocations, logs,
    metrics, openapi, queues, schedules, traces,
};

/// Callers that follow the log at once.
const FOLLOWERS_MAX: usize = 16;

/// What all handlers share.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: AdminConfig,
    pub(crate) sources: Sources,
    pub(crate) rate: Arc<Rate>,
    pub(crate) followers: Arc<Semaphore>,
    /// What the pages of the console remember.
    pub(crate) console: Console,
    /// Ends answers that would go on for ever.
    pub(crate) stop: CancellationToken,
    /// The OpenAPI document.
    pub(crate) document: Bytes,
}

impl Deref for Shared {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// What answers on the admin port. Cheap to clone.
#[derive(Clone)]
pub struct Api(pub(crate) Router);

impl Api {
    /// Answers from `sources`. Streams end with `stop`.
    #[must_use]
    pub fn new(config: AdminConfig, sources: Sources, stop: CancellationToken) -> Self {
        let (router, document) = resources().split_for_parts();
        let document = document.to_json().unwrap_or_default().into();
        let shared = Shared(Arc::new(Inner {
            rate: Rate::new(config.requests_per_second_max),
            followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
            console: Console::default(),
            config,
            sources,
            stop,
            document,
        }));
        let guarded = axum::middleware::from_fn_with_state(shared.clone(), guard);
        let router = router
            .merge(console::routes())
            .method_not_allowed_fallback(method_not_allowed)
            .fallback(no_route)
            .layer(guarded);
        Self(router.with_state(shared))
    }

    /// Answers one request in this process.
    pub async fn call(&self, request: Request<Body>) -> Response<Body> {
        let answered = self.0.clone().call(request).await;
        let response = match answered {
            Ok(response) => response,
            Err(never) => match never {},
        };
        response.map(|body| {
            let broken = |error| Failure::new(FailureClass::Internal, format!("{error}"));
            body.map_err(broken).boxed_unsync()
        })
    }
}

/// Every resource, one line each.
fn resources() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::metrics))
        .routes(routes!(traces::list))
        .routes(routes!(traces::one))
        .routes(routes!(functions::list))
        .routes(routes!(functions::one))
        .routes(routes!(invocations::invoke))
        .routes(routes!(accepted::list))
        .routes(routes!(accepted::one))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::one, dead_letters::discard))
        .routes(routes!(dead_letters::redrive))
        .routes(routes!(queues::list))
        .routes(routes!(queues::entries, queues::purge, queues::send))
        .routes(routes!(schedules::list))
        .routes(routes!(schedules::pause))
        .routes(routes!(schedules::resume))
        .routes(routes!(schedules::run))
        .routes(routes!(audit::list))
        .routes(routes!(logs::list))
        .routes(routes!(openapi::document))
}

async fn method_not_allowed() -> Problem {
    let code = ErrorCode::MethodNotAllowed;
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, code, "the header Allow names what the path takes")
}

async fn no_route() -> Problem {
    let detail = "GET /v1/openapi.json lists every path";
    Problem::new(StatusCode::NOT_FOUND, ErrorCode::NoRoute, detail)
}

#[cfg(test)]
mod tests;
