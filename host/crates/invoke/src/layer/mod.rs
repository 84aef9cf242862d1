//! The policy layers, one a file, each an [`crate::Invoke`] around the next.

mod adapt;
mod admit;
mod breaker;
mod concurrency;
mod deadline;
mod trace;

pub use adapt::{Adapt, Takes};
pub(crate) use admit::refuse;
pub use admit::{Admit, Bounds};
pub use breaker::{Breaker, BreakerCell, BreakerPolicy, BreakerState};
pub use concurrency::{Concurrency, HostLimit};
pub use deadline::Deadline;
pub(crate) use trace::Accepting;
pub use trace::Trace;

use wfh_event::Failure;

use crate::Outcome;

/// The same failure for each of `items`.
pub(crate) fn all_failed(items: usize, failure: &Failure) -> Vec<Outcome> {
    (0..items).map(|_| Outcome::Failed(failure.clone())).collect()
}

#[cfg(test)]
pub(crate) mod testing;
