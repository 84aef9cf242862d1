//! How the host tells its triggers to stop.

use tokio_util::sync::CancellationToken;

/// Shared by everything that takes work from outside. Cheap to clone.
#[derive(Clone, Default)]
pub struct Shutdown {
    /// Take nothing new, finish what is in flight.
    pub drain: CancellationToken,
    /// Drop what is still in flight.
    pub cancel: CancellationToken,
}
