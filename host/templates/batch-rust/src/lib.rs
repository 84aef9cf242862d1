//! Handles several events at once.

use serde::Deserialize;
use wfh::{BatchReply, Event, Reject, Result};

#[derive(Deserialize)]
struct Reading {
    sensor: String,
    celsius: f64,
}

/// The lowest temperature there is.
const ZERO: f64 = -273.15;

/// A batch is not all or nothing: only those events are tried again, or rejected, that are named as
/// failed.
#[wfh::batch]
async fn handle(readings: Vec<Event<Reading>>) -> Result<BatchReply> {
    let mut reply = BatchReply::new();
    for reading in &readings {
        if reading.celsius < ZERO {
            reply.fail(reading, Reject::new("that is too cold"));
        } else {
            wfh::tracing::info!(sensor = reading.sensor, celsius = reading.celsius, "reading");
        }
    }
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wfh::test::{Delivery, Host};

    #[test]
    fn only_what_makes_no_sense_fails() {
        let readings = [
            r#"{"sensor": "a", "celsius": 21.5}"#,
            r#"{"sensor": "b", "celsius": -300}"#,
            "not a reading",
        ];
        let outcome = Host::new().batch(handle, readings.map(Delivery::json));
        let failed: Vec<u32> = outcome.failed().keys().copied().collect();
        assert_eq!(failed, [1, 2]);
    }
}
