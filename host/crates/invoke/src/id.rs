//! Makes invocation ids.

use std::time::{SystemTime, UNIX_EPOCH};

use wfh_event::InvocationId;
use wfh_telemetry::random_u64;

/// A new id: the wall clock's milliseconds and 80 random bits.
#[must_use]
pub fn new_invocation_id() -> InvocationId {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let random = (u128::from(random_u64()) << 64) | u128::from(random_u64());
    InvocationId::from_parts(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), random)
}
