//! Waiting with a bound, and saying what was waited for.

use std::future::Future;
use std::time::{Duration, Instant};

/// What the machine may be late by: two cores, a debug build, the test itself beside it.
pub(crate) const SLACK: Duration = Duration::from_millis(200);
/// What should come at once, on a machine that compiles something else beside us.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// Waits for a future that should be ready at once.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: nothing within {PATIENCE:?}"),
    }
}

/// Asks again until it is true.
pub(crate) async fn eventually(invariant: &str, holds: impl AsyncFnMut() -> bool) {
    eventually_within(PATIENCE, invariant, holds).await;
}

/// Asks again until it is true, for as long as that may take.
pub(crate) async fn eventually_within(
    patience: Duration,
    invariant: &str,
    mut holds: impl AsyncFnMut() -> bool,
) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < patience, "never within {patience:?}: {invariant}");
        tokio::time::sleep(POLL).await;
    }
}
