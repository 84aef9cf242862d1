//! Who may call `/v1`: the right host, no other site, the token, and not too often.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HOST, ORIGIN};
use http::header::{HeaderName, X_CONTENT_TYPE_OPTIONS};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use wfh_event::ErrorCode;

use crate::AdminConfig;
use crate::api::Shared;
use crate::console;
use crate::problem::Problem;

/// For probes: no token, any host. They tell nothing that is worth protecting.
const OPEN: &[&str] = &["/healthz", "/readyz", "/metrics"];
/// By then another host, or this one again, takes work.
const RETRY_AFTER_DRAIN: Duration = Duration::from_secs(5);
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// How often. Callers without the token have a bound of their own, so that they cannot use up that
/// of the operator.
pub(crate) struct Rate {
    known: DefaultDirectRateLimiter,
    unknown: DefaultDirectRateLimiter,
}

impl Rate {
    pub(crate) fn new(per_second_max: u32) -> Arc<Self> {
        let limiter = |per_second| {
            let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
            RateLimiter::direct(Quota::per_second(per_second))
        };
        Arc::new(Self { known: limiter(per_second_max), unknown: limiter(per_second_max.min(10)) })
    }

    /// Counts one more caller without the token; whether that is one too many.
    pub(crate) fn unknown_is_spent(&self) -> bool {
        self.unknown.check().is_err()
    }
}

/// Lets a request through, or answers it.
pub(crate) async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let is_page = console::is_page(request.uri().path());
    let checked = match OPEN.contains(&request.uri().path()) {
        true => check_body(&shared.config, request.headers()),
        false => check(&shared, &request, is_page),
    };
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(problem) if is_page && problem.is_unauthorized() => {
            Redirect::to("/console/login").into_response()
        }
        Err(problem) => problem.into_response(),
    };
    // A function's answer must not become a page of the admin port's origin.
    let headers = response.headers_mut();
    if !is_page || !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn check(shared: &Shared, request: &Request, is_page: bool) -> Result<(), Problem> {
    let headers = request.headers();
    let host = host(request).ok_or_else(|| foreign("exactly one Host is expected"))?;
    if !is_ours(&shared.config, &host) {
        return Err(foreign(&format!(
            "the Host {:?} is none of this admin port; add it to admin.hosts if it is",
            host.host()
        )));
    }
    check_site(headers, &host)?;
    let is_known = match is_page {
        true => check_cookie(shared, request)?,
        false => check_token(shared, headers).map(|()| true)?,
    };
    check_body(&shared.config, headers)?;
    if shared.sources.status.takes_nothing() && request.method() != Method::GET {
        let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable);
        let problem = Problem::new(status, code, "the host is draining");
        return Err(problem.retry_after(RETRY_AFTER_DRAIN).closing());
    }
    match is_known && shared.rate.known.check().is_err() {
        true => Err(Problem::too_many("admin.requests_per_second_max is reached")),
        false => Ok(()),
    }
}

/// What the caller thinks it talks to.
fn host(request: &Request) -> Option<Authority> {
    let mut values = request.headers().get_all(HOST).iter();
    let only = values.next().filter(|_| values.next().is_none());
    match (request.uri().authority(), only) {
        (Some(authority), _) => Some(authority.clone()),
        (None, value) => Authority::try_from(value?.as_bytes()).ok(),
    }
}

/// A page of another site may reach this address through a name of its own that it lets resolve to
/// us. An IP address and `localhost` cannot be such a name.
fn is_ours(config: &AdminConfig, host: &Authority) -> bool {
    let name = host.host().trim_end_matches('.');
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    address.parse::<std::net::IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || config.hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// Browsers say where a request comes from; other programs say nothing.
fn check_site(headers: &HeaderMap, host: &Authority) -> Result<(), Problem> {
    let site = headers.get_all(FETCH_SITE).iter();
    if site.into_iter().any(|site| site != "same-origin" && site != "none") {
        return Err(foreign("the request comes from a page of another site"));
    }
    let own = [format!("http://{host}"), format!("https://{host}")];
    let is_own = |origin: &HeaderValue| own.iter().any(|own| origin == own.as_str());
    match headers.get_all(ORIGIN).iter().all(is_own) {
        true => Ok(()),
        false => Err(foreign("the Origin is another site")),
    }
}

/// Whether it is the operator who asks. The sign-in page is for everybody, and not of the operator's
/// rate; whoever signs in is counted there.
fn check_cookie(shared: &Shared, request: &Request) -> Result<bool, Problem> {
    if console::is_signed_in(&shared.config, request.headers()) {
        return Ok(true);
    }
    if console::is_for_everybody(request.uri().path()) {
        return Ok(false);
    }
    // A browser that shows none is only sent to sign in.
    if console::shows_cookie(request.headers()) && shared.rate.unknown_is_spent() {
        return Err(Problem::too_many("too many requests with a wrong cookie"));
    }
    Err(Problem::sign_in())
}

fn check_token(shared: &Shared, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(token) = &shared.config.token else { return Ok(()) };
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let only = shown.next().filter(|_| shown.next().is_none());
    if only.and_then(bearer).is_some_and(|shown| token.is(shown)) {
        return Ok(());
    }
    if shared.rate.unknown_is_spent() {
        return Err(Problem::too_many("too many requests without the token"));
    }
    let detail = "expected the header `Authorization: Bearer TOKEN` with the value of admin.token";
    Err(Problem::new(StatusCode::UNAUTHORIZED, ErrorCode::AdminToken, detail).closing())
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

/// A body that says it is too long is not waited for, wherever it is sent to.
fn check_body(config: &AdminConfig, headers: &HeaderMap) -> Result<(), Problem> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length = length.and_then(|length| length.parse::<u64>().ok()).unwrap_or(0);
    match length > config.body_bytes_max {
        true => Err(Problem::too_large(config.body_bytes_max)),
        false => Ok(()),
    }
}

fn foreign(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, ErrorCode::AdminForeign, detail).closing()
}
