//! Waiting, without using the CPU.

use std::time::Duration;

use crate::sys;

/// Waits. The wait counts against the function's `timeout`.
///
/// ```
/// # wfh::test::Host::new().run(async {
/// wfh::sleep(std::time::Duration::from_millis(10)).await;
/// # });
/// ```
pub async fn sleep(duration: Duration) {
    sys::time::sleep(duration).await;
}
