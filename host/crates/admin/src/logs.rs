//! `/v1/logs`: the records that the host keeps, page by page or as they come.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, ToSchema};
use wfh_event::ErrorCode;

use crate::api::Shared;
use crate::page::{Page, limit};
use crate::params::Params;
use crate::problem::Problem;
use crate::{LogLevel, LogQuery, LogReader};

/// How soon a follower sees a new record.
const POLL: Duration = Duration::from_millis(200);
/// Records that are sent to a follower in one piece.
const BATCH: usize = 256;

/// One record of the log. Further fields depend on what it is about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogRecord {
    /// RFC 3339, UTC.
    timestamp: String,
    /// `TRACE`, `DEBUG`, `INFO`, `WARN` or `ERROR`.
    level: String,
    /// What it says.
    message: Option<String>,
    /// The function it is about.
    function: Option<String>,
    /// The invocation it is about.
    invocation: Option<String>,
}

/// Which records.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogParams {
    /// Records of a page, 1 to 1000; 100 without it. Not with `follow`.
    limit: Option<u16>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// About this function.
    function: Option<String>,
    /// Of this invocation.
    invocation: Option<String>,
    /// At least of this level.
    level: Option<LogLevel>,
    /// Not older than this, such as `10m`.
    since: Option<String>,
    /// Streams records as they come, one JSON object a line, until the caller leaves.
    follow: Option<bool>,
}

/// Records, the oldest first. With `follow=true` the answer is `application/x-ndjson` and goes on.
#[utoipa::path(get, path = "/v1/logs", tag = "logs", params(LogParams), responses(
    (status = 200, description = "A page of records, or records as they come", content(
        (Page<LogRecord> = "application/json"), (LogRecord = "application/x-ndjson"),
    )),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
    (status = 501, description = "This host keeps no log", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Params(params): Params<LogParams>,
) -> Result<Response, Problem> {
    let (query, limit) = (params.query()?, limit(params.limit)?);
    if params.follow != Some(true) {
        let reader = open(&shared, query).await?;
        return Ok(Json(page(reader, limit).await?).into_response());
    }
    if params.limit.is_some() {
        return Err(Problem::parameter("limit and follow exclude each other"));
    }
    let Ok(place) = shared.followers.clone().try_acquire_owned() else {
        let problem = Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::AdminTooMany,
            "too many callers follow the log",
        );
        return Err(problem.retry_after(Duration::from_secs(10)));
    };
    let reader = open(&shared, query).await?;
    let stream = follow(reader, shared.stop.clone(), place);
    let mut response = Body::from_stream(stream).into_response();
    let media_type = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    Ok(response)
}

impl LogParams {
    fn query(&self) -> Result<LogQuery, Problem> {
        fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
            text: Option<&String>,
        ) -> Result<Option<T>, Problem> {
            let refused = |error: T::Err| Problem::parameter(error.to_string());
            text.map(|text| text.parse().map_err(refused)).transpose()
        }
        let since: Option<SignedDuration> = parse(self.since.as_ref())?;
        let negative = |_| Problem::parameter("since: expected a duration that is not negative");
        Ok(LogQuery {
            function: parse(self.function.as_ref())?,
            invocation: parse(self.invocation.as_ref())?,
            level: self.level,
            since: since.map(Duration::try_from).transpose().map_err(negative)?,
            after: parse(self.cursor.as_ref())?,
        })
    }
}

async fn open(shared: &Shared, query: LogQuery) -> Result<Box<dyn LogReader>, Problem> {
    let Some(logs) = shared.sources.logs.clone() else {
        let detail = "telemetry.log_ring_bytes_max is 0: this host keeps no log";
        return Err(Problem::not_kept(detail));
    };
    blocking(move || logs.open(&query)).await
}

async fn page(
    mut reader: Box<dyn LogReader>,
    limit: usize,
) -> Result<Page<Map<String, Value>>, Problem> {
    blocking(move || {
        let items = read(reader.as_mut(), limit)?;
        let behind = reader.position();
        let more = items.len() == limit && reader.next_record()?.is_some();
        let next = behind.filter(|_| more).map(|position| position.to_string());
        Ok(Page { items, next })
    })
    .await
}

fn read(reader: &mut dyn LogReader, limit: usize) -> io::Result<Vec<Map<String, Value>>> {
    let mut items = Vec::new();
    while items.len() < limit {
        let Some(record) = reader.next_record()? else { break };
        items.push(record);
    }
    Ok(items)
}

/// Files are read away from the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other);
    done.and_then(|done| done).map_err(|error| {
        tracing::warn!(%error, "the log cannot be read");
        let detail = format!("the log cannot be read: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, detail)
    })
}

/// New records until the caller leaves or the host stops.
fn follow(
    reader: Box<dyn LogReader>,
    stop: CancellationToken,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((reader, stop, place), |(mut reader, stop, place)| async move {
        loop {
            let batch = blocking(move || {
                let items = read(reader.as_mut(), BATCH)?;
                Ok((reader, items))
            });
            let items;
            (reader, items) = batch.await.ok()?;
            if !items.is_empty() {
                return Some((Ok(lines(&items)), (reader, stop, place)));
            }
            stop.run_until_cancelled(tokio::time::sleep(POLL)).await?;
        }
    })
}

fn lines(items: &[Map<String, Value>]) -> Bytes {
    let mut text = String::new();
    for item in items {
        if let Ok(line) = serde_json::to_string(item) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text.into()
}
