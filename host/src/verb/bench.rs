//! `wfh bench`: how fast a function is on this machine, in this process, through every layer.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use wfh_admin::Api;
use wfh_event::FunctionName;

use crate::client::problem_text;
use crate::error::Error;
use crate::local::{Local, in_process};
use crate::output::{self, Format, OutputOption};

/// What a timer may be late by; the rest of a wait is spent looking at the clock.
const TIMER: Duration = Duration::from_millis(2);
/// How wide a histogram is drawn.
const BAR_WIDTH: u64 = 40;

/// `wfh bench`
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The function
    function: FunctionName,
    /// The manifest, or a component (`.wasm`) [default: wfh.toml]
    #[arg(long, value_name = "PATH")]
    manifest: Option<PathBuf>,
    /// How long to call it
    #[arg(long, default_value = "5s", value_name = "DURATION", value_parser = duration)]
    time: Duration,
    /// Callers at once
    #[arg(long, default_value_t = 8, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    callers: u32,
    /// Calls a second, whether those before have ended or not: latency counts from when a call was
    /// due. Without it each caller calls again as soon as it has its answer
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// The payload of each call
    #[arg(long, short, default_value = "", value_name = "TEXT")]
    data: String,
    #[command(flatten)]
    output: OutputOption,
}

fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("{text:?} is no duration such as 10s");
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| expected())?;
    Duration::try_from(parsed).map_err(|_| expected())
}

/// What callers saw.
#[derive(Default)]
struct Measured {
    /// Latencies in microseconds.
    micros: Vec<u64>,
    failed: u64,
}

/// When calls are due, and until when.
struct Plan {
    began: Instant,
    end: Instant,
    every: Option<Duration>,
    /// The next call's number.
    next: AtomicU64,
}

impl Plan {
    /// When the next call is due; `None` when it is over.
    async fn next(&self) -> Option<Instant> {
        let at = match self.every {
            None => Instant::now(),
            Some(every) => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                let at = self.began + every.mul_f64(number as f64);
                if at < self.end {
                    sleep_until(at.checked_sub(TIMER).unwrap_or(at)).await;
                    while Instant::now() < at {
                        tokio::task::yield_now().await;
                    }
                }
                at
            }
        };
        (at < self.end && Instant::now() < self.end).then_some(at)
    }
}

/// Does it.
pub(crate) fn run(options: &Bench) -> Result<(), Error> {
    let local = Local::load(options.manifest.as_deref(), &options.function)?;
    let measured = local.runtime.block_on(measure(options, &local.api()))?;
    let Measured { mut micros, failed } = measured;
    micros.sort_unstable();
    show(options, &micros, failed)
}

fn show(options: &Bench, micros: &[u64], failed: u64) -> Result<(), Error> {
    let (Some(min), Some(max)) = (micros.first(), micros.last()) else {
        return Err(Error::Refused(format!("no call succeeded, {failed} failed")));
    };
    let at = |part: f64| {
        let index = (micros.len() as f64 * part) as usize;
        micros.get(index).unwrap_or(max)
    };
    let per_second = micros.len() as f64 / options.time.as_secs_f64();
    let percentiles = [("p50", at(0.5)), ("p90", at(0.9)), ("p99", at(0.99)), ("p99.9", at(0.999))];
    match options.output.output {
        Format::Json => {
            let percentiles: serde_json::Map<_, _> =
                percentiles.map(|(name, us)| (name.to_owned(), json!(us))).into_iter().collect();
            output::json(&json!({
                "function": options.function.as_str(), "calls": micros.len(), "failed": failed,
                "per_second": per_second, "min_us": min, "max_us": max, "percentiles_us": percentiles,
            }))
        }
        Format::Table => {
            let calls = micros.len();
            let mut text = format!("{calls} calls, {failed} failed, {per_second:.0} a second\n");
            for (name, us) in percentiles.into_iter().chain([("max", max)]) {
                text += &format!("{name:>6} {:>10.3} ms\n", *us as f64 / 1e3);
            }
            output::print((text + &histogram(micros)).as_bytes())
        }
    }
}

/// A line for each doubling of the latency.
fn histogram(micros: &[u64]) -> String {
    let mut counts = std::collections::BTreeMap::<u32, u64>::new();
    for value in micros {
        *counts.entry(value.max(&1).ilog2()).or_default() += 1;
    }
    let most = counts.values().max().copied().unwrap_or(1);
    let line = |(bucket, count): (&u32, &u64)| {
        let below_ms = 2_f64.powi(*bucket as i32 + 1) / 1e3;
        let bar = "#".repeat((count * BAR_WIDTH).div_ceil(most) as usize);
        format!("< {below_ms:>10.3} ms {count:>9}  {bar}\n")
    };
    counts.iter().map(line).collect()
}

async fn measure(options: &Bench, api: &Api) -> Result<Measured, Error> {
    let data = Bytes::from(options.data.clone());
    // What does not work at all is told before anything is measured.
    call(api, &options.function, &data).await?;
    let began = Instant::now();
    let every = options.rate.map(|rate| Duration::from_secs(1) / rate);
    let plan = Plan { began, end: began + options.time, every, next: AtomicU64::new(0) };
    let plan = Arc::new(plan);
    let callers: Vec<_> = (0..options.callers)
        .map(|_| {
            let (api, plan) = (api.clone(), Arc::clone(&plan));
            tokio::spawn(caller(api, plan, options.function.clone(), data.clone()))
        })
        .collect();
    let mut all = Measured::default();
    for caller in callers {
        let mut own = caller.await.map_err(std::io::Error::other)?;
        all.micros.append(&mut own.micros);
        all.failed += own.failed;
    }
    Ok(all)
}

async fn caller(api: Api, plan: Arc<Plan>, function: FunctionName, data: Bytes) -> Measured {
    let mut own = Measured::default();
    while let Some(due) = plan.next().await {
        match call(&api, &function, &data).await {
            Ok(()) => own.micros.push(due.elapsed().as_micros() as u64),
            Err(_) => own.failed += 1,
        }
    }
    own
}

async fn call(api: &Api, function: &FunctionName, data: &Bytes) -> Result<(), Error> {
    let uri = format!("/v1/functions/{function}/invocations");
    let request = Request::builder().method(Method::POST).uri(uri).header("host", "localhost");
    let request = request.body(Full::new(data.clone())).map_err(std::io::Error::other)?;
    let (head, body) = api.call(in_process(request)).await.into_parts();
    let body = body.collect().await;
    let body = body.map_err(|failure| Error::Refused(failure.detail))?.to_bytes();
    match head.status.is_success() {
        true => Ok(()),
        false => Err(Error::Refused(problem_text(head.status.as_u16(), &body))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_drawn_in_doublings() {
        let drawn = histogram(&[1, 3, 3, 3, 1_000]);
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].contains("0.004 ms         3") && lines[1].ends_with(&"#".repeat(40)));
        assert!(lines[2].starts_with("<      1.024 ms         1"), "{drawn}");
    }

    #[test]
    fn durations_carry_units() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        for text in ["", "10", "-1s", "fast"] {
            duration(text).unwrap_err();
        }
    }
}
