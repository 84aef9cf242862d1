//! No path of an idempotency key and no payload may panic, and what a path selects depends on
//! nothing else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wfh_event::JsonPath;

fuzz_target!(|input: (&str, &[u8])| {
    let (text, payload) = input;
    let Ok(path) = text.parse::<JsonPath>() else { return };
    assert_eq!(path.to_string(), text, "a path is not what was written");
    let selected = path.select(payload);
    assert_eq!(selected, path.select(payload), "one payload has two keys");
    let json = serde_json::from_slice::<serde_json::Value>(payload);
    assert!(selected.is_none() || json.is_ok(), "a key of what is no JSON");
});
