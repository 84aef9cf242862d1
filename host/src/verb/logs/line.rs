//! A record as one line for people.

use serde_json::{Map, Value};

/// What every record has, or what a line shows in a place of its own.
const SHOWN: &[&str] = &["timestamp", "level", "message", "target", "function", "invocation"];

/// Time, level, function, invocation, and what it says. Nothing of it can move a terminal's cursor.
pub(crate) fn of(record: &Map<String, Value>) -> String {
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or("-");
    let (time, level) = (text("timestamp"), text("level"));
    let head = format!("{time} {level:<5} {} {} ", text("function"), text("invocation"));
    plain(&(head + &said(record))) + "\n"
}

/// What a guest printed stands for itself; other records have a message and fields.
fn said(record: &Map<String, Value>) -> String {
    if let Some(Value::String(line)) = record.get("line") {
        return format!("| {line}");
    }
    let message = record.get("message").and_then(Value::as_str).unwrap_or_default();
    let mut said = message.to_owned();
    for (key, value) in record.iter().filter(|(key, _)| !SHOWN.contains(&key.as_str())) {
        match value {
            Value::String(text) if !text.contains(' ') => said += &format!(" {key}={text}"),
            other => said += &format!(" {key}={other}"),
        }
    }
    said
}

fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => plain.push('\t'),
            control if control.is_control() => plain.extend(control.escape_default()),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(record: Value) -> String {
        of(record.as_object().unwrap())
    }

    #[test]
    fn a_guests_line_and_a_record_with_fields() {
        let guest = serde_json::json!({ "timestamp": "T", "level": "INFO", "function": "f",
            "invocation": "1", "message": "guest output", "stream": "stdout", "line": "hi \u{1b}[2J" });
        assert_eq!(line(guest), "T INFO  f 1 | hi \\u{1b}[2J\n");
        let ended = serde_json::json!({ "timestamp": "T", "level": "WARN", "function": "f",
            "invocation": "1", "message": "invocation failed", "target": "wfh::invocation",
            "class": "trap", "detail": "a b" });
        assert_eq!(line(ended), "T WARN  f 1 invocation failed class=trap detail=\"a b\"\n");
    }
}
