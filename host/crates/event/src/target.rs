//! What triggers, destinations and emits point at.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::{FunctionName, NameError, QueueName, StreamName, TopicName};

/// A destination declared in the manifest, written `kind:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// `function:NAME`
    Function(FunctionName),
    /// `queue:NAME`
    Queue(QueueName),
    /// `topic:NAME`
    Topic(TopicName),
    /// `stream:NAME`
    Stream(StreamName),
}

/// Why a text is not a target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseTargetError {
    /// There is no colon.
    #[error("expected `function:NAME`, `queue:NAME`, `topic:NAME` or `stream:NAME`")]
    NoKind,
    /// The part before the colon is not known.
    #[error("unknown kind `{kind}`; expected `function`, `queue`, `topic` or `stream`")]
    UnknownKind {
        /// The kind found.
        kind: String,
    },
    /// The part after the colon is not a name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for Target {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, name) = text.split_once(':').ok_or(ParseTargetError::NoKind)?;
        Ok(match kind {
            "function" => Self::Function(name.parse()?),
            "queue" => Self::Queue(name.parse()?),
            "topic" => Self::Topic(name.parse()?),
            "stream" => Self::Stream(name.parse()?),
            _ => {
                return Err(ParseTargetError::UnknownKind { kind: kind.to_owned() });
            }
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(name) => write!(f, "function:{name}"),
            Self::Queue(name) => write!(f, "queue:{name}"),
            Self::Topic(name) => write!(f, "topic:{name}"),
            Self::Stream(name) => write!(f, "stream:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_target_survives_print_and_parse(
            kind in prop::sample::select(vec!["function", "queue", "topic", "stream"]),
            name in "[a-z]([a-z0-9-]{0,20}[a-z0-9])?",
        ) {
            let text = format!("{kind}:{name}");
            prop_assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }

        #[test]
        fn parsing_never_panics(text in ".{0,80}") {
            let _ = text.parse::<Target>();
        }
    }
}
