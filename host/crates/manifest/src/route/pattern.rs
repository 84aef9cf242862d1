//! A route's path: `/checkout/{id}`, `/files/{*rest}`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use super::percent::decode;
use crate::read::{Misfit, Text};

/// A parsed route path. Prints as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePattern {
    text: Arc<str>,
    segments: Vec<Segment>,
}

/// One segment of a pattern, between two slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// Text, percent-decoded.
    Literal(String),
    /// `{name}`: one segment that is not empty.
    Parameter(Arc<str>),
    /// `{*name}`: whatever follows, be it nothing.
    Tail(Arc<str>),
}

/// Why a text is not a route path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RoutePatternError {
    /// It does not begin with a slash.
    #[error("it does not begin with `/`")]
    NoSlash,
    /// Two slashes follow each other.
    #[error("a segment is empty")]
    EmptySegment,
    /// `.` or `..`, which clients resolve before they send a path.
    #[error("no request has a `{0}` segment")]
    Dots(String),
    /// A character that no path of a request has.
    #[error("`{segment}` holds {character:?}, which no path of a request does")]
    Character {
        /// The segment.
        segment: String,
        /// The character.
        character: char,
    },
    /// Braces around a part of a segment only.
    #[error("`{0}` mixes text and a parameter; a parameter is a whole segment")]
    Mixed(String),
    /// The text between braces is not a name.
    #[error(
        "`{0}` is not a parameter's name; expected letters, digits, `-` and `_`, beginning with a letter"
    )]
    Name(String),
    /// Two parameters share a name.
    #[error("the parameter `{0}` appears twice")]
    Twice(String),
    /// Something follows `{*rest}`.
    #[error("`{{*{0}}}` is not the last segment")]
    TailNotLast(String),
}

impl RoutePattern {
    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of the parameters, from left to right.
    pub fn parameters(&self) -> impl Iterator<Item = &Arc<str>> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Parameter(name) | Segment::Tail(name) => Some(name),
        })
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

impl FromStr for RoutePattern {
    type Err = RoutePatternError;

    fn from_str(text: &str) -> Result<Self, RoutePatternError> {
        let path = text.strip_prefix('/').ok_or(RoutePatternError::NoSlash)?;
        let count = path.split('/').count();
        let mut segments = Vec::with_capacity(count);
        let mut names: Vec<String> = Vec::new();
        for (index, written) in path.split('/').enumerate() {
            let last = index + 1 == count;
            let segment = parse_segment(written, last)?;
            if let Segment::Parameter(name) | Segment::Tail(name) = &segment {
                // Names become header names, which have no case.
                let folded = name.to_ascii_lowercase();
                if names.contains(&folded) {
                    return Err(RoutePatternError::Twice(name.to_string()));
                }
                names.push(folded);
            }
            segments.push(segment);
        }
        Ok(Self { text: text.into(), segments })
    }
}

fn parse_segment(written: &str, last: bool) -> Result<Segment, RoutePatternError> {
    let inner = written.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    match inner {
        Some(inner) => match inner.strip_prefix('*') {
            Some(name) if last => Ok(Segment::Tail(parameter_name(name)?)),
            Some(name) => Err(RoutePatternError::TailNotLast(name.to_owned())),
            None => Ok(Segment::Parameter(parameter_name(inner)?)),
        },
        None if written.contains(['{', '}']) => Err(RoutePatternError::Mixed(written.to_owned())),
        None if written.is_empty() && !last => Err(RoutePatternError::EmptySegment),
        None => literal(written),
    }
}

fn literal(written: &str) -> Result<Segment, RoutePatternError> {
    let refused = |c: &char| c.is_control() || c.is_whitespace() || matches!(c, '?' | '#');
    if let Some(character) = written.chars().find(refused) {
        return Err(RoutePatternError::Character { segment: written.to_owned(), character });
    }
    let decoded = decode(written).into_owned();
    match decoded.as_str() {
        "." | ".." => Err(RoutePatternError::Dots(decoded)),
        _ => Ok(Segment::Literal(decoded)),
    }
}

fn parameter_name(name: &str) -> Result<Arc<str>, RoutePatternError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let begins = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    if begins && name.len() <= 64 && name.chars().all(allowed) {
        Ok(name.into())
    } else {
        Err(RoutePatternError::Name(name.to_owned()))
    }
}

impl fmt::Display for RoutePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Text for RoutePattern {
    const WHAT: &'static str = "a route";
    const EXPECTED: &'static str = "a path such as \"/checkout/{id}\" or \"/files/{*rest}\"";

    fn parse(text: &str) -> Result<Self, Misfit> {
        text.parse().map_err(|error: RoutePatternError| Misfit {
            suggestion: (error == RoutePatternError::NoSlash)
                .then(|| format!("/{text}"))
                .filter(|slashed| slashed.parse::<Self>().is_ok()),
            reason: Some(error.to_string()),
        })
    }

    fn print(&self) -> String {
        self.text.to_string()
    }
}
