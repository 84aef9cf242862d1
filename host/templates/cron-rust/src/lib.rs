//! Runs at points in time.

use wfh::{Event, Raw, Result};

/// The event's time is the one that was planned, not that of the call.
#[wfh::event]
async fn handle(tick: Event<Raw>) -> Result<()> {
    wfh::tracing::info!(planned = tick.time(), "swept");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wfh::test::{Delivery, Host};

    #[test]
    fn it_runs() {
        Host::new().event(handle, Delivery::json("null")).unwrap();
    }
}
