//! `wfh functions`: what a running host runs.

use clap::Args;
use serde_json::Value;

use crate::client::{AdminOptions, Client};
use crate::error::Error;
use crate::output::{self, OutputOption};

/// `wfh functions`
#[derive(Debug, Args)]
pub(crate) struct Functions {
    #[command(flatten)]
    admin: AdminOptions,
    #[command(flatten)]
    output: OutputOption,
}

const HEAD: &[&str] = &[
    "name",
    "state",
    "kind",
    "size",
    "compile",
    "init",
    "timeout",
    "memory",
    "concurrency",
    "reuse",
    "calls",
    "failures",
    "breaker",
];

/// Lists them.
pub(crate) fn run(options: &Functions) -> Result<(), Error> {
    let client = Client::new(&options.admin)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let functions = runtime.block_on(client.list("/v1/functions?limit=1000"))?;
    output::listing(options.output, HEAD, &functions, row)
}

fn row(function: &Value) -> Vec<String> {
    let get = |pointer: &str| function.pointer(pointer).unwrap_or(&Value::Null);
    let text = |pointer: &str| match get(pointer) {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let compile = match get("/cached") {
        Value::Bool(true) => "cached".to_owned(),
        _ => milliseconds(get("/compile_ms")),
    };
    vec![
        text("/name"),
        text("/state"),
        text("/kind"),
        bytes(get("/component_bytes")),
        compile,
        milliseconds(get("/init_ms")),
        milliseconds(get("/limits/timeout_ms")),
        bytes(get("/limits/memory_bytes")),
        text("/limits/concurrency"),
        text("/limits/reuse"),
        text("/calls"),
        text("/failures"),
        text("/breaker"),
    ]
}

fn milliseconds(value: &Value) -> String {
    match value.as_f64() {
        None => "-".to_owned(),
        Some(ms) if ms >= 1_000.0 => format!("{}s", (ms / 100.0).round() / 10.0),
        Some(ms) => format!("{}ms", (ms * 10.0).round() / 10.0),
    }
}

fn bytes(value: &Value) -> String {
    const UNITS: &[&str] = &["B", "KiB", "MiB", "GiB"];
    let Some(mut size) = value.as_f64() else { return "-".to_owned() };
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while size >= 1024.0
        && let Some(larger) = units.next()
    {
        size /= 1024.0;
        unit = Some(larger);
    }
    format!("{}{}", (size * 10.0).round() / 10.0, unit.unwrap_or(&"B"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_units() {
        let figures = [0, 1023, 1536, 64 << 20, 5 << 40].map(|size: u64| bytes(&size.into()));
        assert_eq!(figures, ["0B", "1023B", "1.5KiB", "64MiB", "5120GiB"]);
        let figures = [0.0, 1.25, 30_000.0, 1_500.0].map(|ms: f64| milliseconds(&ms.into()));
        assert_eq!(figures, ["0ms", "1.3ms", "30s", "1.5s"]);
        assert_eq!(milliseconds(&Value::Null), "-");
    }
}
