//! `filter` of a trigger: which events it gives to its target.

use serde_json::{Map, Value as Json, json};
use toml::de::{DeTable, DeValue};
use wfh_pattern::Pattern;

use crate::read::{Node, OneOrMany, Reader, Value};

/// Patterns of one trigger.
const PATTERNS_MAX: usize = 5;
/// What a pattern may look at.
const NAMES: [&str; 3] = ["key", "headers", "value"];

/// Patterns, one of which an event has to match; without any, every event passes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter(pub Vec<Pattern>);

impl Value for Filter {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let OneOrMany(patterns) = OneOrMany::<Read>::read(node, reader)?;
        if patterns.len() > PATTERNS_MAX {
            let told = format!("{} patterns", patterns.len());
            return reader.report(node.problem(told).expected(format!("at most {PATTERNS_MAX}")));
        }
        Some(Self(patterns.into_iter().map(|read| read.0).collect()))
    }

    fn schema() -> Json {
        OneOrMany::<Read>::schema()
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

/// One pattern.
struct Read(Pattern);

impl Value for Read {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Table(table) = node.value else {
            return reader.wrong_type(node, "a pattern such as { key = [{ prefix = \"eu-\" }] }");
        };
        let pattern = match Pattern::parse(&fields(table)) {
            Ok(pattern) => pattern,
            Err(error) => return reader.report(node.problem(error.to_string())),
        };
        let unknown = pattern.names().find(|name| !NAMES.contains(name)).map(str::to_owned);
        match unknown {
            Some(name) => {
                let told = format!("a pattern cannot look at `{name}`");
                reader.report(node.problem(told).expected("`key`, `headers` or `value`"))
            }
            None => Some(Self(pattern)),
        }
    }

    fn schema() -> Json {
        let fields = || json!({ "type": ["object", "array"] });
        json!({
            "type": "object",
            "properties": { "key": fields(), "headers": fields(), "value": fields() },
            "additionalProperties": false,
        })
    }
}

fn fields(table: &DeTable<'_>) -> Map<String, Json> {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect()
}

fn json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Json::Null, Json::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Json::Null, Json::from),
        DeValue::Boolean(value) => (*value).into(),
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Array(values) => values.iter().map(|value| json(value.get_ref())).collect(),
        DeValue::Table(table) => Json::Object(fields(table)),
    }
}
