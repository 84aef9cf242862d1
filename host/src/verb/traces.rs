//! `wfh traces`: where the last events of a running host went.

use clap::Args;
use serde_json::Value;
use wfh_event::gist;

use super::dlq::encoded;
use crate::client::{AdminOptions, Client};
use crate::error::Error;
use crate::output::{self, Format, OutputOption};

/// `wfh traces`
#[derive(Debug, Args)]
pub(crate) struct Traces {
    /// A trace, to show with its spans; all of the last ones without it
    id: Option<String>,
    #[command(flatten)]
    admin: AdminOptions,
    #[command(flatten)]
    output: OutputOption,
}

const HEAD: &[&str] = &["id", "name", "began", "ms", "spans", "errors"];
const KEYS: &[&str] = &["/id", "/name", "/began_at", "/duration_ms", "/spans", "/errors"];
/// How wide a waterfall is drawn.
const BAR_WIDTH: f64 = 30.0;

/// Does it.
pub(crate) fn run(options: &Traces) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::new(&options.admin)?;
        match &options.id {
            None => {
                // The first page: who looks for one that is older knows its id.
                let mut page = client.get("/v1/traces").await?;
                let items = page.get_mut("items").map(Value::take);
                let traces = items.and_then(|items| items.as_array().cloned()).unwrap_or_default();
                output::listing(options.output, HEAD, &traces, |one| output::cells(one, KEYS))
            }
            Some(id) => {
                let trace = client.get(&format!("/v1/traces/{}", encoded(id))).await?;
                match options.output.output {
                    Format::Json => output::json(&trace),
                    Format::Table => output::print(tree(&trace).as_bytes()),
                }
            }
        }
    })
}

/// A line for each span: when in the trace, how long, what.
fn tree(trace: &Value) -> String {
    let total = number(trace, "duration_ms").max(0.001);
    let mut text = format!(
        "trace {}  {}  {:.3} ms\n",
        string(trace, "id"),
        string(trace, "began_at"),
        number(trace, "duration_ms")
    );
    let spans = trace.get("tree").and_then(Value::as_array).into_iter().flatten();
    for span in spans {
        let depth = usize::try_from(span.get("depth").and_then(Value::as_u64).unwrap_or(0));
        let indent = "  ".repeat(depth.unwrap_or(0));
        let duration = number(span, "duration_ms");
        let bar = bar(number(span, "offset_ms") / total, duration / total);
        let (name, kind) = (string(span, "name"), string(span, "kind"));
        let error = span.get("error").and_then(Value::as_str);
        let error = error.map(|error| format!("  ! {}", gist(error))).unwrap_or_default();
        text += &format!("{bar} {duration:>10.3} ms  {indent}{name} ({kind}){error}\n");
    }
    text
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few characters")]
fn bar(from: f64, part: f64) -> String {
    let width = BAR_WIDTH as usize;
    let before = ((from * BAR_WIDTH) as usize).min(width - 1);
    let length = ((part * BAR_WIDTH).ceil() as usize).clamp(1, width - before);
    let after = width - before - length;
    format!("|{}{}{}|", " ".repeat(before), "=".repeat(length), " ".repeat(after))
}

fn number(value: &Value, key: &str) -> f64 {
    value.get(key).and_then(Value::as_f64).unwrap_or(0.0)
}

fn string<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_drawn_as_a_tree() {
        let trace = serde_json::json!({
            "id": "4bf92f3577b34da6a3ce929d0e0e4736", "began_at": "2026-01-01T00:00:00Z",
            "duration_ms": 10.0, "tree": [
                { "name": "POST /orders", "kind": "server", "depth": 0, "offset_ms": 0.0,
                  "duration_ms": 5.0 },
                { "name": "process queue:mail", "kind": "consumer", "depth": 1, "offset_ms": 5.0,
                  "duration_ms": 5.0, "error": "trap: unreachable\nmore" },
            ]
        });
        let drawn = tree(&trace);
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(
            lines[1],
            "|===============               |      5.000 ms  POST /orders (server)"
        );
        assert_eq!(
            lines[2],
            "|               ===============|      5.000 ms    process queue:mail (consumer)  ! trap: unreachable"
        );
    }
}
