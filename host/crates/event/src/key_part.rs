//! What makes two events equal: parts of their idempotency key.

use std::fmt;
use std::str::FromStr;

use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use thiserror::Error;

/// A JSONPath (RFC 9535), parsed once.
#[derive(Debug, Clone)]
pub struct JsonPath {
    text: String,
    query: JpQuery,
}

/// A text that is no JSONPath.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct JsonPathError(String);

impl JsonPath {
    /// What the path selects of a JSON text, each value as JSON; `None` when that is nothing.
    #[must_use]
    pub fn select(&self, json: &[u8]) -> Option<String> {
        let document: serde_json::Value = serde_json::from_slice(json).ok()?;
        let found = js_path_process(&self.query, &document).ok()?;
        let values: Vec<String> = found.into_iter().map(|found| found.val().to_string()).collect();
        (!values.is_empty()).then(|| values.join(","))
    }
}

impl FromStr for JsonPath {
    type Err = JsonPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with('$') {
            return Err(JsonPathError("a JSON path begins with `$`".to_owned()));
        }
        match parse_json_path(text) {
            Ok(query) => Ok(Self { text: text.to_owned(), query }),
            Err(_) => Err(JsonPathError(format!("RFC 9535 knows no JSON path `{text}`"))),
        }
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for JsonPath {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for JsonPath {}

/// One part of an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPart {
    /// `header:NAME`: a header, in lower case.
    Header(String),
    /// `attribute:NAME`: an attribute of the event, or of its delivery.
    Attribute(String),
    /// `json:$.path`: a value of the payload.
    Json(JsonPath),
}

impl fmt::Display for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Attribute(name) => write!(f, "attribute:{name}"),
            Self::Json(path) => write!(f, "json:{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_selects_values_as_json() {
        let path: JsonPath = "$.orders[*].id".parse().unwrap();
        let json = br#"{"orders":[{"id":"a"},{"id":2}]}"#;
        assert_eq!(path.select(json).as_deref(), Some(r#""a",2"#));
        assert_eq!(path.select(b"{}"), None);
        assert_eq!(path.select(b"not json"), None);
    }

    #[test]
    fn a_path_that_is_none_is_refused() {
        for text in ["", "a", "$.a[?(", "$..["] {
            assert!(text.parse::<JsonPath>().is_err(), "{text:?} was taken for a JSONPath");
        }
    }
}
