//! Numbers and booleans.

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::{Node, Reader, Value};

macro_rules! integer {
    ($($integer:ty),*) => { $(impl Value for $integer {
        fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
            let DeValue::Integer(written) = node.value else {
                return reader.wrong_type(node, "a whole number");
            };
            match <$integer>::from_str_radix(written.as_str(), written.radix()) {
                Ok(number) => Some(number),
                Err(_) => {
                    let problem = node.problem(format!("{written} is out of bounds"));
                    let expected = format!("a whole number from 0 to {}", <$integer>::MAX);
                    reader.report(problem.expected(expected))
                }
            }
        }

        fn schema() -> Json {
            json!({ "type": "integer", "minimum": 0, "maximum": <$integer>::MAX })
        }

        fn show(&self) -> Json {
            (*self).into()
        }
    })* };
}
integer!(u8, u32, u64);

impl Value for f64 {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let written = match node.value {
            DeValue::Integer(integer) => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            _ => return reader.wrong_type(node, "a number"),
        };
        match written.parse::<Self>() {
            Ok(number) if number.is_finite() => Some(number),
            _ => reader.wrong_type(node, "a finite number"),
        }
    }

    fn schema() -> Json {
        json!({ "type": "number" })
    }

    fn show(&self) -> Json {
        (*self).into()
    }
}

impl Value for bool {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            DeValue::Boolean(value) => Some(*value),
            _ => reader.wrong_type(node, "`true` or `false`"),
        }
    }

    fn schema() -> Json {
        json!({ "type": "boolean" })
    }

    fn show(&self) -> Json {
        (*self).into()
    }
}
