//! Named points at which a test lets the process die, to see what is left.
//!
//! They are there in builds with debug assertions only: what is shipped has none.

#[cfg(debug_assertions)]
use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

/// Every point, for the test that dies at each.
pub const POINTS: &[&str] = &[
    "accept-committed",
    "entry-claimed",
    "guest-ended",
    "settle-before-commit",
    "settle-committed",
    "schedule-committed",
    "writer-committed",
];

#[cfg(debug_assertions)]
struct Armed {
    point: String,
    /// Passes that are left before the last.
    left: AtomicU32,
}

#[cfg(debug_assertions)]
static ARMED: OnceLock<Armed> = OnceLock::new();

/// Lets the process die when it passes `point` for the `times`th time. Only the first call counts.
pub fn arm(point: &str, times: u32) {
    #[cfg(debug_assertions)]
    {
        // A second one would make the test mean something else.
        let _ = ARMED.set(Armed { point: point.to_owned(), left: AtomicU32::new(times) });
    }
    #[cfg(not(debug_assertions))]
    let _ = (point, times);
}

/// Passes a point.
#[inline]
pub fn pass(point: &str) {
    #[cfg(debug_assertions)]
    if let Some(armed) = ARMED.get()
        && armed.point == point
        && armed.left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
    #[cfg(not(debug_assertions))]
    let _ = point;
}
