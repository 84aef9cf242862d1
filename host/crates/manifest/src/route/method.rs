//! The method of a request, as a route lists it.

use std::fmt;
use std::str::FromStr;

use crate::read::{Misfit, Text};

/// An HTTP method in upper case, such as `POST`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(String);

impl Method {
    /// The method as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a method that a route can list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected upper-case letters such as `POST`, and not `CONNECT`")]
pub struct ParseMethodError;

impl FromStr for Method {
    type Err = ParseMethodError;

    fn from_str(text: &str) -> Result<Self, ParseMethodError> {
        let allowed = |c: char| c.is_ascii_uppercase() || matches!(c, '-' | '_');
        match text {
            "" | "CONNECT" => Err(ParseMethodError),
            _ if text.len() > 32 || !text.chars().all(allowed) => Err(ParseMethodError),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl Text for Method {
    const WHAT: &'static str = "a method";
    const EXPECTED: &'static str =
        "a method in upper case such as \"POST\"; `CONNECT` is never served";

    fn parse(text: &str) -> Result<Self, Misfit> {
        let upper = text.to_ascii_uppercase();
        let suggestion = || (upper != text && upper.parse::<Self>().is_ok()).then(|| upper.clone());
        text.parse().map_err(|_| Misfit { reason: None, suggestion: suggestion() })
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}
