//! Pieces of the JSON Schema (draft 2020-12) that `table!` puts together.

use std::ops::RangeInclusive;

use serde_json::{Map, Value as Json, json};

use super::{Bounded, Value};

/// The schema of a table while its keys are added.
pub(crate) struct ObjectSchema {
    description: String,
    properties: Map<String, Json>,
    required: Vec<&'static str>,
}

impl ObjectSchema {
    pub(crate) fn new(doc: &[&str]) -> Self {
        Self { description: description(doc), properties: Map::new(), required: Vec::new() }
    }

    /// Adds a key; gives its schema back for more.
    pub(crate) fn property<T: Value>(
        &mut self,
        key: &'static str,
        doc: &[&str],
        absent: Option<T>,
    ) -> &mut Json {
        let mut schema = T::schema();
        set(&mut schema, "description", description(doc).into());
        match absent.as_ref().map(Value::show) {
            None => self.required.push(key),
            Some(Json::Null) => {}
            Some(default) => set(&mut schema, "default", default),
        }
        self.properties.entry(key).or_insert(schema)
    }

    pub(crate) fn finish(self) -> Json {
        let mut schema = json!({
            "type": "object",
            "description": self.description,
            "properties": self.properties,
            "additionalProperties": false,
        });
        if !self.required.is_empty() {
            set(&mut schema, "required", self.required.into());
        }
        schema
    }
}

/// Adds bounds: as such to numbers, in words to what is written as text.
pub(crate) fn bound<T: Bounded>(schema: &mut Json, bounds: &RangeInclusive<T::Scalar>) {
    let (min, max) = (bounds.start().show(), bounds.end().show());
    if min.is_number() {
        set(schema, "minimum", min);
        set(schema, "maximum", max);
        return;
    }
    let doc = schema.get("description").and_then(Json::as_str).unwrap_or_default();
    let bounded = format!("{doc} From {min} to {max}.");
    set(schema, "description", bounded.into());
}

/// Lets a choice between words also be a `${VAR}`.
pub(crate) fn expandable(words: Json) -> Json {
    json!({ "type": "string", "anyOf": [words, { "pattern": r"\$\{" }] })
}

/// A doc comment as one line.
pub(crate) fn description(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn set(schema: &mut Json, key: &str, value: Json) {
    if let Some(object) = schema.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
