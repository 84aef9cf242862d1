//! Timers.

use std::future::poll_fn;
use std::time::Duration;

use wasip2::clocks::monotonic_clock;

use super::reactor::Wait;

pub(crate) async fn sleep(duration: Duration) {
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let wait = Wait::new(monotonic_clock::subscribe_duration(nanoseconds));
    poll_fn(|cx| wait.poll_ready(cx)).await;
}
