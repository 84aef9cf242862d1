//! Options, lists and maps of values.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::{Node, Reader, Value, join};
use crate::Diagnostic;

impl<T: Value> Value for Option<T> {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(node, reader).map(Some)
    }

    fn schema() -> Json {
        T::schema()
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Array(array) = node.value else {
            let of_tables = T::schema().get("type").is_some_and(|kind| kind == "object");
            let tables = format!("an array of tables, each `[[{}]]`", node.key);
            return reader.wrong_type(node, if of_tables { &tables } else { "an array" });
        };
        let mut items = Self::with_capacity(array.len());
        for (index, value) in array.iter().enumerate() {
            let item = reader.child(value, format!("{}[{index}]", node.key));
            items.extend(T::read(&item, reader));
        }
        Some(items)
    }

    fn schema() -> Json {
        json!({ "type": "array", "items": T::schema() })
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

impl<K, T> Value for BTreeMap<K, T>
where
    K: FromStr<Err: Display> + Ord,
    T: Value,
{
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Table(table) = node.value else {
            return reader.wrong_type(node, "a table");
        };
        let mut map = Self::new();
        for (key, value) in table {
            let path = join(&node.key, key.get_ref());
            let name = key.get_ref().parse::<K>().map_err(|error| {
                reader.diagnostics.push(Diagnostic::new(key.span(), &path, error.to_string()));
            });
            let child = reader.child(value, path);
            let value = T::read(&child, reader);
            map.extend(name.ok().zip(value));
        }
        Some(map)
    }

    fn schema() -> Json {
        json!({ "type": "object", "additionalProperties": T::schema() })
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

/// One value, or a list of at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T: Value> Value for OneOrMany<T> {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            DeValue::Array(array) if array.is_empty() => {
                reader.report(node.problem("the list is empty").expected("at least one value"))
            }
            DeValue::Array(_) => Vec::read(node, reader).map(Self),
            _ => T::read(node, reader).map(|value| Self(vec![value])),
        }
    }

    fn schema() -> Json {
        let one = T::schema();
        json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

/// One of two keys of a table, of which exactly one must be there.
pub(crate) enum Either<A, B> {
    First(A),
    Second(B),
}

/// Takes the one of two keys that a table has; both and neither are reported.
pub(crate) fn either<A, B>(
    node: &Node<'_>,
    keys: [&'static str; 2],
    values: (Option<A>, Option<B>),
    reader: &mut Reader<'_>,
) -> Option<Either<A, B>> {
    let [first, second] = keys.map(|key| node.value.get(key).is_some());
    let found = match (first, second) {
        (true, false) => return values.0.map(Either::First),
        (false, true) => return values.1.map(Either::Second),
        (true, true) => "both are given",
        (false, false) => "neither is given",
    };
    let expected = format!("exactly one of `{}` and `{}`", keys[0], keys[1]);
    reader.report(node.problem(found).expected(expected))
}
