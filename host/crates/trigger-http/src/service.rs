//! One request: finds its route, calls its function, encodes what comes back.

use std::convert::Infallible;
use std::sync::Arc;

use http::header::{ALLOW, CONNECTION};
use http::{HeaderValue, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use wfh_event::{ErrorCode, Failure, FailureClass, InvocationId};
use wfh_invoke::{
    Body, HttpInput, Input, Invocation, Outcome, empty_body, new_invocation_id, prefers_async,
};
use wfh_manifest::Lookup;
use wfh_telemetry::TraceContext;

use crate::accepted::accept;
use crate::answer::{Answer, answer};
use crate::config::{Route, RouteMode, Routes};
use crate::problem::problem;
use crate::request::{Peer, check, prepare};
use crate::served::Served;
use crate::watch::Watch;

/// What the requests of one connection share.
pub(crate) struct Service {
    pub(crate) routes: Routes,
    pub(crate) peer: Peer,
    pub(crate) watch: Watch,
    pub(crate) requests_max: u64,
    pub(crate) headers_max: usize,
    pub(crate) header_bytes_max: usize,
}

impl Service {
    /// Answers one request. Dropping the future cancels the call.
    pub(crate) async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Answer>, Infallible> {
        let id = new_invocation_id();
        let (requests, in_flight) = self.watch.request(request.version());
        let mut served = Served::begin(request.method(), request.version(), self.peer.is_tls());
        let outcome = self.outcome(id, request, &mut served).await;
        if requests >= self.requests_max {
            self.watch.retire();
        }
        Ok(answer(id, outcome, &self.watch, (in_flight, served)))
    }

    async fn outcome(
        &self,
        id: InvocationId,
        request: Request<Incoming>,
        served: &mut Served,
    ) -> Result<Outcome, Response<Body>> {
        check(&request).map_err(|reason| bad_request(reason, id))?;
        // hyper counts headers for HTTP/1 only, and bytes by its read buffer.
        if request.headers().len() > self.headers_max
            || head_bytes(&request) > self.header_bytes_max
        {
            return Err(problem(431, ErrorCode::BadRequest, Some("the head is too large"), id));
        }
        let (mut head, body) = request.into_parts();
        let routes = self.routes.load();
        let route = {
            // Both are reference-counted: cheaper than a copy of the path.
            let (uri, method) = (head.uri.clone(), head.method.clone());
            match routes.find(method.as_str(), uri.path()) {
                Lookup::Found { value, parameters, .. } => {
                    let pairs = parameters.iter().map(|(name, value)| (*name, &**value));
                    prepare(&mut head, &self.peer, pairs)
                        .map_err(|reason| bad_request(reason, id))?;
                    served.route = Some(Arc::clone(&value.pattern));
                    value.clone()
                }
                Lookup::MethodNotAllowed { allow } => return Err(not_allowed(&allow, id)),
                Lookup::NotFound => return Err(problem(404, ErrorCode::NoRoute, None, id)),
            }
        };
        drop(routes);
        Ok(call(id, &route, Request::from_parts(head, incoming(body))).await)
    }
}

async fn call(id: InvocationId, route: &Route, mut request: Request<Body>) -> Outcome {
    let trace = TraceContext::of_request(request.headers());
    // What the guest reads, and may pass on, is its own position.
    trace.write_to(request.headers_mut());
    let wanted = prefers_async(request.headers());
    let invocation = Invocation {
        id,
        target: route.target.clone(),
        deadline: None,
        hops: 0,
        attempts_max: 1,
        trace,
        phases: None,
        input: Input::Http(Box::new(HttpInput { request, route: Arc::clone(&route.pattern) })),
    };
    let stack = match &route.mode {
        RouteMode::Async(acceptor) => return accept(acceptor, invocation).await,
        RouteMode::Either(_, acceptor) if wanted => return accept(acceptor, invocation).await,
        RouteMode::Sync(stack) | RouteMode::Either(stack, _) => stack,
    };
    let outcome = stack.invoke(invocation).await.into_iter().next();
    outcome.unwrap_or_else(|| {
        Outcome::Failed(Failure::new(FailureClass::Internal, "a call without an outcome"))
    })
}

/// What the head takes on an HTTP/1 wire, give or take its framing.
fn head_bytes<B>(request: &Request<B>) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = request.headers().iter();
    target + headers.map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>()
}

fn incoming(body: Incoming) -> Body {
    if body.is_end_stream() {
        return empty_body();
    }
    body.map_err(|error| {
        Failure::new(FailureClass::Cancelled, format!("the client broke off its body: {error}"))
    })
    .boxed_unsync()
}

/// What is not well formed ends its connection: the next bytes may be part of it.
fn bad_request(reason: &str, id: InvocationId) -> Response<Body> {
    let mut response = problem(400, ErrorCode::BadRequest, Some(reason), id);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn not_allowed(allow: &[String], id: InvocationId) -> Response<Body> {
    let mut response = problem(405, ErrorCode::MethodNotAllowed, None, id);
    if let Ok(value) = HeaderValue::from_str(&allow.join(", ")) {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}
