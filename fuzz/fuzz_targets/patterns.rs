//! The first line is an event pattern, the rest a document: nothing may panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use wfh_pattern::Pattern;

fuzz_target!(|text: &str| {
    let (pattern, document) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(Value::Object(fields)) = serde_json::from_str(pattern) else { return };
    let Ok(pattern) = Pattern::parse(&fields) else { return };
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    pattern.matches(|name| document.get(name));
});
