//! Event patterns: which events a filter lets through, in the notation of Amazon EventBridge.
//!
//! Layer L0, pure. This crate must not know events, brokers or the manifest: it compares JSON. Its
//! main type is [`Pattern`]. Its words are `prefix`, `numeric`, `exists` and `anything-but`, and a
//! value that must be equal; another word is refused by its name.

mod matcher;

use serde_json::{Map, Value};
use thiserror::Error;

use matcher::Matcher;

/// How deep a pattern may be.
const DEPTH_MAX: usize = 16;

/// What must hold of a JSON document: of each field that it names, one of the values listed there.
///
/// `{ "status": ["paid"], "total": [{ "numeric": [">", 100] }] }`
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern(Fields);

type Fields = Vec<(String, Node)>;

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Fields(Fields),
    AnyOf(Vec<Matcher>),
}

/// A pattern that says nothing that could hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{reason}", if at.is_empty() { String::new() } else { format!("{at}: ") })]
pub struct PatternError {
    /// The field, as a dotted path.
    pub at: String,
    /// What is wrong there.
    pub reason: String,
}

impl PatternError {
    fn new(at: &str, reason: impl Into<String>) -> Self {
        Self { at: at.to_owned(), reason: reason.into() }
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is empty, or not in the notation.
    pub fn parse(fields: &Map<String, Value>) -> Result<Self, PatternError> {
        self::fields(fields, "", 0).map(Self)
    }

    /// The fields at the top that it names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Whether a document has what the pattern asks for. `field` gives its fields at the top.
    pub fn matches<'d>(&self, field: impl Fn(&str) -> Option<&'d Value>) -> bool {
        self.0.iter().all(|(name, node)| node.matches(field(name)))
    }
}

impl Node {
    fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Fields(fields), Some(Value::Object(object))) => {
                fields.iter().all(|(name, node)| node.matches(object.get(name)))
            }
            // Below something that is no object, nothing exists.
            (Self::Fields(fields), _) => fields.iter().all(|(_, node)| node.matches(None)),
            // Of several values one has to match, as EventBridge has it.
            (Self::AnyOf(matchers), Some(Value::Array(values))) => matchers.iter().any(|matcher| {
                values.iter().any(|value| matcher.matches(Some(value)))
                    || (values.is_empty() && matcher.matches(Some(&Value::Null)))
            }),
            (Self::AnyOf(matchers), value) => matchers.iter().any(|matcher| matcher.matches(value)),
        }
    }
}

fn fields(object: &Map<String, Value>, at: &str, depth: usize) -> Result<Fields, PatternError> {
    if object.is_empty() {
        return Err(PatternError::new(at, "names no field"));
    }
    if depth >= DEPTH_MAX {
        return Err(PatternError::new(at, format!("more than {DEPTH_MAX} levels")));
    }
    let node = |(name, value): (&String, &Value)| {
        let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        let node = match value {
            Value::Object(object) => Node::Fields(fields(object, &at, depth + 1)?),
            Value::Array(values) if values.is_empty() => {
                return Err(PatternError::new(&at, "an empty list matches nothing"));
            }
            Value::Array(values) => {
                let matchers = values.iter().map(|value| Matcher::parse(value, &at));
                Node::AnyOf(matchers.collect::<Result<_, _>>()?)
            }
            _ => {
                let reason = "expected a list of values, such as [\"a\"], or a table of fields";
                return Err(PatternError::new(&at, reason));
            }
        };
        Ok((name.clone(), node))
    };
    object.iter().map(node).collect()
}

#[cfg(test)]
mod tests;
