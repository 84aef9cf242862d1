//! Writes the tables of docs/manifest.md out of the types: `make reference`.
//!
//! What stands before [`MARK`] is written by hand and stays. A test (`tests/reference.rs`) holds the
//! file equal to what this writes.

use std::fmt::Write as _;
use std::{fs, io};

use serde_json::{Map, Value};
use wfh_manifest::Manifest;

/// From here on the page is generated.
pub(crate) const MARK: &str =
    "<!-- From here on written by `make reference`, out of the types. -->\n";

#[allow(dead_code, reason = "the test has its own")]
fn main() -> io::Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/manifest.md");
    let page = fs::read_to_string(path)?;
    fs::write(path, rewritten(&page))
}

/// The page with its generated part made anew.
pub(crate) fn rewritten(page: &str) -> String {
    let by_hand = page.split(MARK).next().unwrap_or_default();
    let mut page = format!("{by_hand}{MARK}");
    let schema = Manifest::json_schema();
    for (name, table) in entries(&schema, "properties") {
        top(&mut page, name, table);
    }
    page
}

/// A table of the root: alone, one for each name, or a kind of trigger each.
fn top(page: &mut String, name: &str, table: &Value) {
    if let Some(named) = table.get("additionalProperties").filter(|inner| is_table(inner)) {
        section(page, 2, &format!("[{name}.NAME]"), named, table);
        for (key, inner) in entries(named, "properties").filter(|(_, inner)| is_table(inner)) {
            section(page, 3, &format!("[{name}.NAME.{key}]"), inner, inner);
        }
    } else if name == "trigger" {
        for (kind, list) in entries(table, "properties") {
            section(page, 2, &format!("[[trigger.{kind}]]"), &list["items"], list);
        }
    } else {
        section(page, 2, &format!("[{name}]"), table, table);
    }
}

fn section(page: &mut String, level: usize, heading: &str, table: &Value, described: &Value) {
    let _ = writeln!(page, "\n{} `{heading}`\n\n{}\n", "#".repeat(level), text(described));
    page.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
    let own = level == 2 && heading.contains(".NAME");
    rows(page, "", table, own);
}

/// A row for each key; tables in it become dotted keys, unless they get sections of their own.
fn rows(page: &mut String, prefix: &str, table: &Value, with_sections: bool) {
    for (key, value) in entries(table, "properties") {
        let name = format!("{prefix}{key}");
        let items = value.get("items").filter(|items| is_table(items));
        if is_table(value) && with_sections {
            let _ = writeln!(page, "| `{name}` | table | | {} See below. |", cell(&text(value)));
        } else if is_table(value) {
            rows(page, &format!("{name}."), value, false);
        } else if let Some(items) = items {
            let _ = writeln!(page, "| `{name}` | list of tables | none | {} |", cell(&text(value)));
            rows(page, &format!("{name}[]."), items, false);
        } else {
            let default = default(table, key, value);
            let (kind, meaning) = (cell(&kind(value)), cell(&text(value)));
            let _ = writeln!(page, "| `{name}` | {kind} | {default} | {meaning} |");
        }
    }
}

fn default(table: &Value, key: &str, value: &Value) -> String {
    let required = table["required"].as_array().is_some_and(|keys| keys.iter().any(|k| k == key));
    match value.get("default") {
        _ if required => "required".to_owned(),
        Some(default) => format!("`{default}`"),
        None => "none".to_owned(),
    }
}

/// What a value looks like, in few words.
fn kind(value: &Value) -> String {
    if let Some(title) = value["title"].as_str() {
        let short = ["duration", "size", "path", "string"];
        let bare = title.trim_start_matches("a ").trim_start_matches("an ");
        let word = short.iter().find(|word| bare.starts_with(**word));
        return word.map_or_else(|| bare.to_owned(), |word| (*word).to_owned());
    }
    if let Some(words) = value["enum"].as_array() {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    if let Some(choices) = value["anyOf"].as_array() {
        let told = choices.iter().filter(|choice| choice.get("pattern").is_none());
        return told.map(kind).collect::<Vec<_>>().join(", or ");
    }
    match value["type"].as_str() {
        Some("array") => format!("list: {}", kind(&value["items"])),
        Some("integer" | "number") => bounded(value),
        Some("boolean") => "`true`, `false`".to_owned(),
        Some("object") if value["additionalProperties"].is_object() => {
            format!("table: NAME = {}", kind(&value["additionalProperties"]))
        }
        Some("object") => {
            let keys =
                entries(value, "properties").map(|(key, inner)| format!("{key} = {}", kind(inner)));
            format!("`{{ ... }}` with {}", keys.collect::<Vec<_>>().join(", "))
        }
        _ => String::new(),
    }
}

fn bounded(value: &Value) -> String {
    match (value.get("minimum"), value.get("maximum")) {
        (Some(min), Some(max)) => format!("number [{min}..{max}]"),
        _ => "number".to_owned(),
    }
}

fn is_table(value: &Value) -> bool {
    value["properties"].is_object()
}

fn text(value: &Value) -> String {
    value["description"].as_str().unwrap_or_default().to_owned()
}

/// A cell of a table holds no bar.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn entries<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = (&'v str, &'v Value)> {
    let object: Option<&Map<String, Value>> = value.get(key).and_then(Value::as_object);
    object.into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}
