//! One path for each thing that the SDK does over HTTP.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures_util::{future, stream};
use wfh::{
    Body, BodyError, Error, Method, Request, Response, Result, StatusCode, client, config,
    tracing::{self, Instrument},
};

static SQUARES: OnceLock<Vec<u64>> = OnceLock::new();

#[wfh::init]
fn prepare() {
    SQUARES.get_or_init(|| (0..1_000).map(|n| n * n).collect());
}

#[wfh::http]
async fn handle(request: Request<Body>) -> Result<Response<Body>> {
    match request.uri().path() {
        "/echo" => Ok(Response::new(request.into_body())),
        "/pass-on" => pass_on(request).await,
        "/sleep" => sleep().await,
        "/ticks" => Ok(Response::new(ticks())),
        "/log" => Ok(Response::new(log(&request).into())),
        "/spans" => charge(request).instrument(tracing::info_span!("charge", cents = 700)).await,
        "/flood" => Ok(Response::new(flood().into())),
        "/init" => Ok(Response::new(format!("{:?}", SQUARES.get().map(Vec::len)).into())),
        "/config" => Ok(Response::new(config::require("greeting")?.into())),
        "/fail" => Err(std::io::Error::other("disk 7 is full").into()),
        _ => Err(Error::status(StatusCode::NOT_FOUND, "no such path")),
    }
}

/// Sends the request on to the URL in `x-url`; both bodies stream.
async fn pass_on(request: Request<Body>) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let url = head.headers.get("x-url").map_or(Ok(""), |url| url.to_str())?;
    let mut onward = Request::builder().method(head.method).uri(url).body(body)?;
    if let Some(kind) = head.headers.get("content-type") {
        onward.headers_mut().insert("content-type", kind.clone());
    }
    let answer = client::send(onward).await?;
    Ok(Response::builder().status(answer.status()).body(answer.into_body())?)
}

/// A part of the work with a span of its own, and a call below it.
async fn charge(request: Request<Body>) -> Result<Response<Body>> {
    let answer = pass_on(request).await?;
    tracing::error!(status = answer.status().as_u16(), "the bank refused");
    Ok(answer)
}

/// More spans, and longer ones, than anybody wants to see.
fn flood() -> &'static str {
    let long = "x".repeat(3_000);
    for n in 0..1_000 {
        let _span = tracing::info_span!("flood", n, a = long, b = long, c = long).entered();
    }
    "flooded"
}

/// Two waits at once take as long as one.
async fn sleep() -> Result<Response<Body>> {
    let started = Instant::now();
    let wait = || wfh::sleep(Duration::from_millis(200));
    future::join(wait(), wait()).await;
    Ok(Response::new(started.elapsed().as_millis().to_string().into()))
}

/// A line each 100 ms.
fn ticks() -> Body {
    Body::from_stream(stream::unfold(1, |tick| async move {
        if tick > 3 {
            return None;
        }
        wfh::sleep(Duration::from_millis(100)).await;
        Some((Ok::<_, BodyError>(format!("{tick}\n")), tick + 1))
    }))
}

fn log(request: &Request<Body>) -> &'static str {
    let method = (request.method() == Method::GET).then_some("GET");
    let _span = tracing::info_span!("request", method).entered();
    tracing::warn!(target: "tour", share = 0.1, "seen {}", 7);
    tracing::debug!("only with LOG_LEVEL=debug");
    "logged"
}
