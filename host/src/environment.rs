//! The one file that reads environment variables.

/// A variable's value; one that is not Unicode counts as unset.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What to log, if the operator says so.
pub(crate) fn log_filter() -> Option<String> {
    variable("WFH_LOG").or_else(|| variable("RUST_LOG"))
}

/// The point at which a test lets the host die, and at which pass. What is shipped has none.
pub(crate) fn crash_point() -> Option<(String, u32)> {
    let text = variable("WFH_CRASH_POINT").filter(|_| cfg!(debug_assertions))?;
    let (point, times) = text.split_once(':')?;
    Some((point.to_owned(), times.parse().ok()?))
}

/// Whether colours are unwanted (<https://no-color.org>).
pub(crate) fn no_color() -> bool {
    variable("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Where the commands look for a host's admin API.
pub(crate) fn admin_url() -> Option<String> {
    variable("WFH_ADMIN")
}

/// What they show it.
pub(crate) fn admin_token() -> Option<String> {
    variable("WFH_ADMIN_TOKEN")
}

/// One of the signals of OpenTelemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    /// Whether it has a collector of its own.
    pub(crate) fn has_endpoint(self) -> bool {
        is_set(&format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", self.as_str()))
    }
}

fn is_set(name: &str) -> bool {
    variable(name).is_some_and(|value| !value.is_empty())
}

/// Whether nothing is exported at all.
pub(crate) fn otel_disabled() -> bool {
    variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Whether a collector is named. The exporters read the variable themselves, as they do with those of
/// headers, timeouts, compression and batches.
pub(crate) fn otlp_endpoint() -> bool {
    is_set("OTEL_EXPORTER_OTLP_ENDPOINT")
}

/// How collectors are spoken to.
pub(crate) fn otlp_protocol() -> Option<String> {
    variable("OTEL_EXPORTER_OTLP_PROTOCOL").filter(|value| !value.is_empty())
}

/// Whether a signal may be exported.
pub(crate) fn exports(signal: Signal) -> bool {
    variable(&format!("OTEL_{}_EXPORTER", signal.as_str())).is_none_or(|value| value != "none")
}

/// Spans that may wait to be sent, if the operator says so.
pub(crate) fn spans_waiting_max() -> Option<usize> {
    variable("OTEL_BSP_MAX_QUEUE_SIZE")?.parse().ok().filter(|spans| *spans > 0)
}

/// Which traces are exported.
pub(crate) struct SamplerVariable {
    pub(crate) name: String,
    pub(crate) argument: Option<String>,
}

/// Which traces are exported, if the operator says so.
pub(crate) fn sampler() -> Option<SamplerVariable> {
    let name = variable("OTEL_TRACES_SAMPLER").filter(|value| !value.is_empty())?;
    Some(SamplerVariable { name, argument: variable("OTEL_TRACES_SAMPLER_ARG") })
}
