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
