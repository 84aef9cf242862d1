//! `wfh queue`: queues of a running host.

use std::io::Read;

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use super::dlq::encoded;
use crate::client::{AdminOptions, Client, problem_text};
use crate::error::Error;
use crate::output::{self, OutputOption};

/// `wfh queue`
#[derive(Debug, Args)]
pub(crate) struct Queue {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send an event to a queue
    Send {
        /// The queue; also topic:NAME or function:NAME
        queue: String,
        /// The payload: a text, @FILE, or - for standard input
        #[arg(long, value_name = "DATA|@FILE|-")]
        data: Option<String>,
        /// The media type of the payload
        #[arg(long, default_value = "application/json", value_name = "TYPE")]
        content_type: String,
        #[command(flatten)]
        admin: AdminOptions,
    },
    /// List the queues
    List {
        #[command(flatten)]
        admin: AdminOptions,
        #[command(flatten)]
        output: OutputOption,
    },
    /// Show what waits in a queue, without taking it
    Peek {
        /// The queue; also function:NAME
        queue: String,
        #[command(flatten)]
        admin: AdminOptions,
        #[command(flatten)]
        output: OutputOption,
    },
    /// Empty a queue
    Purge {
        /// The queue; also function:NAME
        queue: String,
        #[command(flatten)]
        admin: AdminOptions,
    },
}

const QUEUES: &[&str] = &["queue", "entries", "claimed", "bytes", "oldest"];
const ENTRIES: &[&str] = &["seq", "appended", "attempts", "receives", "event", "type"];

/// Does it.
pub(crate) fn run(options: &Queue) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &options.command {
            Command::Send { queue, data, content_type, admin } => {
                let payload = payload(data.as_deref())?;
                send(&Client::new(admin)?, &entries(queue), content_type, payload).await
            }
            Command::List { admin, output } => {
                let queues = Client::new(admin)?.list("/v1/queues").await?;
                let keys = ["/name", "/entries", "/claimed", "/bytes", "/oldest_at"];
                output::listing(*output, QUEUES, &queues, |queue| output::cells(queue, &keys))
            }
            Command::Peek { queue, admin, output } => {
                let waiting = Client::new(admin)?.list(&entries(queue)).await?;
                let keys =
                    ["/seq", "/appended_at", "/attempts", "/receives", "/event/id", "/event/type"];
                output::listing(*output, ENTRIES, &waiting, |entry| output::cells(entry, &keys))
            }
            Command::Purge { queue, admin } => {
                let purged = Client::new(admin)?.change(Method::DELETE, &entries(queue)).await?;
                let count = purged.get("purged").and_then(Value::as_u64).unwrap_or(0);
                output::print(format!("{count}\n").as_bytes())
            }
        }
    })
}

/// `emails` is `queue:emails`.
fn entries(queue: &str) -> String {
    let target = if queue.contains(':') { queue.to_owned() } else { format!("queue:{queue}") };
    format!("/v1/queues/{}/entries", encoded(&target))
}

fn payload(data: Option<&str>) -> Result<Bytes, Error> {
    let mut bytes = Vec::new();
    match data.map(|data| (data, data.strip_prefix('@'))) {
        None => {}
        Some(("-", _)) => drop(std::io::stdin().lock().read_to_end(&mut bytes)?),
        Some((_, Some(file))) => {
            let path = std::path::Path::new(file);
            bytes = std::fs::read(path).map_err(|error| Error::file(path, error))?;
        }
        Some((text, None)) => bytes.extend_from_slice(text.as_bytes()),
    }
    Ok(bytes.into())
}

async fn send(
    client: &Client,
    path: &str,
    content_type: &str,
    payload: Bytes,
) -> Result<(), Error> {
    let request = Request::post(path)
        .header("content-type", content_type)
        .body(Full::new(payload))
        .map_err(|error| Error::Refused(error.to_string()))?;
    let (head, body) = client.send(request).await?.into_parts();
    let body = body.collect().await.map_err(|error| Error::Refused(error.to_string()))?.to_bytes();
    if !head.status.is_success() {
        return Err(Error::Refused(problem_text(head.status.as_u16(), &body)));
    }
    let accepted: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = accepted.get("id").and_then(Value::as_str).unwrap_or_default();
    output::print(format!("{id}\n").as_bytes())
}
