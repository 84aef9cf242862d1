//! `wfh invoke`: calls a function, of a running host or in this process.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use wfh_admin::OUTCOME;
use wfh_event::{Failure, FailureClass, FunctionName};
use wfh_invoke::Body;

use crate::client::{AdminOptions, Client, problem_text};
use crate::error::Error;
use crate::local::Local;
use crate::{log, output};

mod guest_logs;
mod request;

use request::Header;

/// `wfh invoke`
#[derive(Debug, Args)]
pub(crate) struct Invoke {
    /// The function
    function: FunctionName,
    /// The payload: text (JSON is sent as JSON), @FILE, or - for standard input
    #[arg(long, short, value_name = "JSON|@FILE|-")]
    data: Option<String>,
    /// Do not wait for the answer: print the invocation's id once it is accepted
    #[arg(long = "async")]
    respond_async: bool,
    /// The key under which a repeat is answered with the first answer
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// The method an HTTP function sees [default: POST]
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// The path and query an HTTP function sees [default: /]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// A header the function sees, such as 'ce-type: order.paid'; may be repeated
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<Header>,
    /// Run it in this process, without a host
    #[arg(long, conflicts_with_all = ["admin", "token", "respond_async"])]
    local: bool,
    /// With --local: the manifest, or a component (`.wasm`) [default: wfh.toml]
    #[arg(long, value_name = "PATH", requires = "local")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    admin: AdminOptions,
}

/// Calls it; its answer goes to standard output, all else to standard error.
pub(crate) fn run(options: &Invoke) -> Result<(), Error> {
    let request = request::of(options)?;
    if options.local {
        let local = Local::load(options.manifest.as_deref(), &options.function)?;
        let shown = local.runtime.block_on(async {
            let began = Instant::now();
            show(options, local.call(request).await, began).await
        });
        log::flush();
        return shown;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(remote(options, request))
}

async fn remote(options: &Invoke, request: Request<Full<Bytes>>) -> Result<(), Error> {
    let client = Client::new(&options.admin)?;
    let began = Instant::now();
    let response = client.send(request).await?;
    let broken = |error: hyper::Error| Failure::new(FailureClass::Internal, error.to_string());
    let response = response.map(|body| body.map_err(broken).boxed_unsync());
    let id = invocation(response.headers()).map(str::to_owned);
    let shown = show(options, response, began).await;
    if let Some(id) = id.filter(|_| !options.respond_async) {
        guest_logs::print(&client, &id).await;
    }
    shown
}

/// Prints an answer of the admin API.
async fn show(options: &Invoke, response: Response<Body>, began: Instant) -> Result<(), Error> {
    let (head, mut body) = response.into_parts();
    let is_answer = head.headers.get(&OUTCOME).is_some_and(|outcome| outcome == "done");
    if !is_answer && !head.status.is_success() {
        let body = body.collect().await.map_err(|failure| refused(&failure))?.to_bytes();
        return Err(Error::Refused(problem_text(head.status.as_u16(), &body)));
    }
    if options.respond_async && head.status == StatusCode::ACCEPTED {
        let id = invocation(&head.headers).unwrap_or_default();
        return output::print(format!("{id}\n").as_bytes());
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|failure| refused(&failure))?;
        let reads_on = frame.data_ref().is_none_or(|data| {
            // What cannot be printed is the reader's loss; the call itself went well.
            output::print_on(data).unwrap_or(false)
        });
        if !reads_on {
            return Ok(());
        }
    }
    let took = began.elapsed().as_secs_f64() * 1e3;
    let id = invocation(&head.headers).unwrap_or("-");
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr(), "{} in {took:.1} ms, invocation {id}", head.status);
    match head.status.as_u16() {
        400.. => Err(Error::Refused(format!("the function answered {}", head.status))),
        _ => Ok(()),
    }
}

fn invocation(headers: &HeaderMap) -> Option<&str> {
    headers.get("wfh-invocation-id")?.to_str().ok()
}

fn refused(failure: &Failure) -> Error {
    Error::Refused(format!("the answer broke off: {}", failure.detail))
}
