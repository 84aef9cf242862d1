//! The policy layers, one a file, each an [`crate::Invoke`] around the next.

mod admit;
mod concurrency;
mod deadline;
mod trace;

pub use admit::Admit;
pub use concurrency::{Concurrency, HostLimit};
pub use deadline::Deadline;
pub use trace::Trace;

use wfh_event::Failure;

use crate::Outcome;

/// The same failure for each of `items`.
fn all_failed(items: usize, failure: &Failure) -> Vec<Outcome> {
    (0..items).map(|_| Outcome::Failed(failure.clone())).collect()
}

#[cfg(test)]
pub(crate) mod testing;
