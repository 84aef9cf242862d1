//! One value of a list: equal, or one of the words of the notation.

use serde_json::Value;

use crate::PatternError;

/// What must hold of one value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Matcher {
    Equal(Value),
    Prefix(String),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
    AnythingBut(Vec<Matcher>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Comparison {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            "=" => Self::Equal,
            ">=" => Self::GreaterOrEqual,
            ">" => Self::Greater,
            _ => return None,
        })
    }

    #[allow(clippy::float_cmp, reason = "a pattern asks for exactly this number")]
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Equal => number == bound,
            Self::GreaterOrEqual => number >= bound,
            Self::Greater => number > bound,
        }
    }
}

impl Matcher {
    pub(crate) fn parse(value: &Value, at: &str) -> Result<Self, PatternError> {
        let object = match value {
            Value::Object(object) => object,
            Value::Array(_) => return Err(PatternError::new(at, "a list inside a list")),
            scalar => return Ok(Self::Equal(scalar.clone())),
        };
        let mut words = object.iter();
        let (Some((word, value)), None) = (words.next(), words.next()) else {
            return Err(PatternError::new(at, "expected one word, such as { prefix = \"a\" }"));
        };
        let wrong = |expected: &str| {
            Err(PatternError::new(at, format!("`{word}` has a wrong value; expected {expected}")))
        };
        match (word.as_str(), value) {
            ("prefix", Value::String(text)) => Ok(Self::Prefix(text.clone())),
            ("prefix", _) => wrong("a text"),
            ("exists", Value::Bool(exists)) => Ok(Self::Exists(*exists)),
            ("exists", _) => wrong("true or false"),
            ("numeric", Value::Array(parts)) => match numeric(parts) {
                Some(bounds) => Ok(Self::Numeric(bounds)),
                None => wrong("[\">\", 0] or [\">=\", 0, \"<\", 10]"),
            },
            ("numeric", _) => wrong("a list such as [\">\", 0]"),
            ("anything-but", Value::Array(values)) if !values.is_empty() => {
                let excluded = values.iter().map(|value| excluded(value, at));
                Ok(Self::AnythingBut(excluded.collect::<Result<_, _>>()?))
            }
            ("anything-but", value) => Ok(Self::AnythingBut(vec![excluded(value, at)?])),
            _ => {
                let reason = format!(
                    "there is no word `{word}`; expected prefix, numeric, exists or anything-but"
                );
                Err(PatternError::new(at, reason))
            }
        }
    }

    pub(crate) fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Exists(exists), value) => *exists == value.is_some(),
            (_, None) => false,
            (Self::Equal(expected), Some(value)) => equal(expected, value),
            (Self::Prefix(prefix), Some(value)) => {
                value.as_str().is_some_and(|text| text.starts_with(prefix.as_str()))
            }
            (Self::Numeric(bounds), Some(value)) => value.as_f64().is_some_and(|number| {
                bounds.iter().all(|(comparison, bound)| comparison.holds(number, *bound))
            }),
            (Self::AnythingBut(excluded), Some(value)) => {
                !excluded.iter().any(|matcher| matcher.matches(Some(value)))
            }
        }
    }
}

/// Numbers are equal by value: `1` and `1.0` are.
fn equal(expected: &Value, value: &Value) -> bool {
    match (expected, value) {
        (Value::Number(_), Value::Number(_)) => expected.as_f64() == value.as_f64(),
        _ => expected == value,
    }
}

fn excluded(value: &Value, at: &str) -> Result<Matcher, PatternError> {
    match Matcher::parse(value, at)? {
        matcher @ (Matcher::Equal(_) | Matcher::Prefix(_)) => Ok(matcher),
        _ => {
            let reason = "`anything-but` takes values and { prefix = \"...\" }";
            Err(PatternError::new(at, reason))
        }
    }
}

fn numeric(parts: &[Value]) -> Option<Vec<(Comparison, f64)>> {
    let pairs = parts.chunks(2).map(|pair| match pair {
        [Value::String(comparison), bound] => {
            Some((Comparison::parse(comparison)?, bound.as_f64()?))
        }
        _ => None,
    });
    let bounds: Vec<_> = pairs.collect::<Option<_>>()?;
    (1..=2).contains(&bounds.len()).then_some(bounds)
}
