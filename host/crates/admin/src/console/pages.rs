//! The pages and what they ask for.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use futures_util::stream::{self, Stream, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use super::{assets, live, session};
use crate::api::Shared;
use crate::operating::{Id, Operating, actor};
use crate::problem::Problem;
use crate::traces::{self, TraceSpan, WholeTrace};

/// How often pages are looked at for changes.
const REFRESH_EVERY: Duration = Duration::from_secs(1);
/// The deepest a span is indented.
const DEPTH_MAX: usize = 5;
/// The width of a trace in a picture's own units, and that of the shortest span.
const BAR_WIDTH: f64 = 1_000.0;
const BAR_MIN: f64 = 4.0;
/// Nothing from elsewhere, nothing inline, in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");

/// A page.
pub(crate) struct Html(String);

impl Html {
    fn of(page: &impl Template) -> Result<Self, Problem> {
        page.render().map(Self).map_err(|error| Problem::broken(error.to_string()))
    }
}

impl IntoResponse for Html {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        let headers = response.headers_mut();
        for (name, value) in [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CACHE_CONTROL, "no-store"),
            (CONTENT_SECURITY_POLICY, POLICY),
            // Without the origin a form's own request would look like another site's.
            (REFERRER_POLICY, "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// Everything of the console. It is for people, so the document of the API leaves it out.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(overview))
        .route("/console/events", get(events))
        .route("/console/traces/{id}", get(trace))
        .route("/console/dead-letters/{id}/redrive", post(redrive))
        .route("/console", get(async || Redirect::to("/")))
        .route("/console/", get(async || Redirect::to("/")))
        .route("/console/login", get(session::ask).post(session::login))
        .route("/console/logout", post(session::logout))
        .route("/console/assets/{name}", get(assets::asset))
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    state: String,
    signed_in: bool,
    live: String,
    letters: String,
}

async fn overview(State(shared): State<Shared>) -> Result<Html, Problem> {
    let waiting = shared.sources.status.waiting();
    let state = match waiting.as_slice() {
        [] => "ready".to_owned(),
        several => {
            let parts: Vec<String> =
                several.iter().map(|(part, reason)| format!("{part}: {reason}")).collect();
            format!("not ready ({})", parts.join(", "))
        }
    };
    let (live, letters) = (live::live(&shared).await?, live::letters(&shared).await?);
    let signed_in = shared.config.token.is_some();
    Html::of(&Overview { state, signed_in, live, letters })
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    is_wrong: bool,
}

pub(super) fn login_page(is_wrong: bool) -> Result<Html, Problem> {
    Html::of(&LoginPage { is_wrong })
}

#[derive(Template)]
#[template(path = "trace.html")]
struct TracePage {
    whole: WholeTrace,
    rows: Vec<SpanRow>,
}

struct SpanRow {
    span: TraceSpan,
    depth: usize,
    from: String,
    width: String,
    attributes: Vec<(String, String)>,
    events: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "gone.html")]
struct Gone {
    id: String,
}

async fn trace(State(shared): State<Shared>, Id(id): Id) -> Result<Response, Problem> {
    let found = shared.sources.recent.as_deref().and_then(|recent| traces::whole(recent, &id));
    let Some(mut whole) = found else {
        return Ok((StatusCode::NOT_FOUND, Html::of(&Gone { id })?).into_response());
    };
    let total = whole.trace.duration_ms.max(0.001);
    let part = |ms: f64| ms / total * BAR_WIDTH;
    let row = |span: TraceSpan| SpanRow {
        depth: span.depth.min(DEPTH_MAX),
        // Wide enough to be seen, also at the very end.
        from: format!("{:.1}", part(span.offset_ms).min(BAR_WIDTH - BAR_MIN)),
        width: format!("{:.1}", part(span.duration_ms).max(BAR_MIN)),
        attributes: pairs(&span.attributes),
        events: span
            .events
            .iter()
            .map(|event| {
                let about = pairs(&event.attributes).into_iter();
                let about: Vec<String> =
                    about.map(|(name, value)| format!("{name}={value}")).collect();
                (format!("{} ms", event.offset_ms), format!("{} {}", event.name, about.join(" ")))
            })
            .collect(),
        span,
    };
    let rows = std::mem::take(&mut whole.tree).into_iter().map(row).collect();
    Ok(Html::of(&TracePage { whole, rows })?.into_response())
}

fn pairs(attributes: &serde_json::Map<String, Value>) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    attributes.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// A form's own request: the guard has seen that it comes from a page of ours.
async fn redrive(
    State(shared): State<Shared>,
    Operating(operator): Operating,
    Id(id): Id,
) -> Result<Redirect, Problem> {
    operator.redrive(&id, None, &actor(&shared)).await?;
    Ok(Redirect::to("/"))
}

/// What the overview shows, whenever it changes.
async fn events(
    State(shared): State<Shared>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let permit = shared.followers.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Problem::too_many("too many pages follow this host"))?;
    let stop = shared.stop.clone();
    let looking = Looking { shared, shown: [String::new(), String::new()], _permit: permit };
    let events = stream::unfold(looking, next).flat_map(stream::iter).take_until(async move {
        stop.cancelled().await;
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// A page that is open.
struct Looking {
    shared: Shared,
    /// What it shows now, of each part.
    shown: [String; 2],
    _permit: OwnedSemaphorePermit,
}

async fn next(mut looking: Looking) -> Option<(Vec<Result<Event, Infallible>>, Looking)> {
    tokio::time::sleep(REFRESH_EVERY).await;
    let (live, letters) = (live::live(&looking.shared).await, live::letters(&looking.shared).await);
    let mut events = Vec::new();
    for ((name, new), shown) in
        [("live", live), ("letters", letters)].into_iter().zip(&mut looking.shown)
    {
        // A store that does not answer now may the next time.
        let Ok(new) = new else { continue };
        if *shown != new {
            shown.clone_from(&new);
            events.push(Ok(Event::default().event(name).data(new)));
        }
    }
    Some((events, looking))
}
