//! The JSON Schema: valid itself, accepts what the parser accepts, and knows the same keys.

// A test that fails by a panic fails as it should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};
use wfh_manifest::Manifest;

const CONTRACT: &str = include_str!("data/contract.toml");

fn accepts(instance: &Value) -> Result<(), String> {
    let schema = Manifest::json_schema();
    let validator = jsonschema::draft202012::new(&schema).map_err(|error| error.to_string())?;
    validator.validate(instance).map_err(|error| format!("{error} at {}", error.instance_path()))
}

fn to_json(text: &str) -> Value {
    let table: toml::Table = toml::from_str(text).expect("TOML");
    serde_json::to_value(table).expect("JSON")
}

#[test]
fn the_schema_is_a_schema() {
    let schema = Manifest::json_schema();
    assert!(jsonschema::draft202012::meta::is_valid(&schema), "not valid draft 2020-12");
}

#[test]
fn the_schema_accepts_the_contract() {
    assert_eq!(accepts(&to_json(CONTRACT)), Ok(()));
}

#[test]
fn the_schema_refuses_what_the_parser_refuses() {
    let function = |key: &str, value: Value| {
        json!({ "app": { "name": "a" },
        "function": { "f": { "component": "f.wasm", key: value } } })
    };
    assert_eq!(accepts(&function("timeout", json!("5s"))), Ok(()));
    for (key, value) in [
        ("timout", json!("5s")),
        ("timeout", json!(5)),
        ("concurrency", json!(0)),
        ("init", json!("loose")),
        ("build", json!({})),
        ("allow", json!({ "htpp": [] })),
    ] {
        assert!(accepts(&function(key, value)).is_err(), "{key} was accepted");
    }
    assert_eq!(accepts(&function("init", json!("${INIT:-strict}"))), Ok(()));
}

#[test]
fn every_key_is_described() {
    fn walk(path: &str, schema: &Value, bare: &mut Vec<String>) {
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            if property["description"].as_str().is_none_or(str::is_empty) {
                bare.push(path.clone());
            }
            walk(&path, property, bare);
        }
        for below in ["additionalProperties", "items"] {
            if schema[below].is_object() {
                walk(path, &schema[below], bare);
            }
        }
    }
    let mut bare = Vec::new();
    walk("", &Manifest::json_schema(), &mut bare);
    assert!(bare.is_empty(), "keys without a description: {bare:?}");
}

#[test]
fn defaults_and_bounds_are_shown() {
    let schema = Manifest::json_schema();
    let function = &schema["properties"]["function"]["additionalProperties"];
    let timeout = &function["properties"]["timeout"];
    assert_eq!(timeout["default"], "30s");
    let description = timeout["description"].as_str().expect("a description");
    assert!(description.ends_with("From \"1ms\" to \"15m\"."), "{description}");
    assert_eq!(function["properties"]["reuse"]["maximum"], 1_000_000);
    assert_eq!(function["required"], json!(["component"]));
    assert_eq!(schema["properties"]["http"]["properties"]["body_bytes_max"]["default"], "10GiB");
}
