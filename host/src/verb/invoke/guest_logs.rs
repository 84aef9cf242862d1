//! What the function printed during one invocation, from the host's log.

use std::io::Write;
use std::time::Duration;

use serde_json::Value;

use crate::client::Client;
use crate::verb::logs::line;

/// The host writes its log a moment after it answers.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(40);

/// Prints it to standard error. A host that keeps no log prints nothing.
pub(super) async fn print(client: &Client, invocation: &str) {
    let path = format!("/v1/logs?limit=1000&invocation={invocation}");
    let mut records = Vec::new();
    for _ in 0..TRIES {
        let Ok(found) = client.list(&path).await else { return };
        records = found;
        if records.iter().any(|record| record.get("duration_ms").is_some()) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let mut stderr = std::io::stderr();
    for record in records.iter().filter_map(Value::as_object) {
        // Nobody is left to tell when standard error is gone.
        let _ = stderr.write_all(line::of(record).as_bytes());
    }
}
