//! Newtypes for everything a manifest names, so that no two bare strings stand side by side.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// The longest name of an app, function, queue, topic or stream: a DNS label.
const LABEL_CHARS_MAX: usize = 63;
/// The longest name of a trigger, which may be derived from a route or a topic.
const FREE_CHARS_MAX: usize = 256;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// The text is empty.
    #[error("the name of {kind} must not be empty")]
    Empty {
        /// What was to be named.
        kind: &'static str,
    },
    /// The text is longer than allowed.
    #[error("the name of {kind} has at most {chars_max} characters, this one has {chars}")]
    TooLong {
        /// What was to be named.
        kind: &'static str,
        /// The bound.
        chars_max: usize,
        /// The length found.
        chars: usize,
    },
    /// The text has a character that the grammar does not allow.
    #[error(
        "{character:?} is not allowed in the name of {kind}; expected lower-case letters, digits, `-` and `_`, beginning with a letter and ending with a letter or digit"
    )]
    Character {
        /// What was to be named.
        kind: &'static str,
        /// The first character that does not fit.
        character: char,
    },
}

/// A DNS-label-like name: it may appear in `http://NAME.wfh.internal/`.
fn check_label(kind: &'static str, text: &str) -> Result<(), NameError> {
    check_length(kind, text, LABEL_CHARS_MAX)?;
    let misfit = |character| NameError::Character { kind, character };
    if let Some(first) = text.chars().next().filter(|c| !c.is_ascii_lowercase()) {
        return Err(misfit(first));
    }
    if let Some(last) = text.chars().next_back().filter(|c| matches!(c, '-' | '_')) {
        return Err(misfit(last));
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    text.chars().find(|c| !allowed(*c)).map_or(Ok(()), |c| Err(misfit(c)))
}

/// A free name: printable, no control characters.
fn check_free(kind: &'static str, text: &str) -> Result<(), NameError> {
    check_length(kind, text, FREE_CHARS_MAX)?;
    text.chars()
        .find(|c| c.is_control())
        .map_or(Ok(()), |character| Err(NameError::Character { kind, character }))
}

fn check_length(kind: &'static str, text: &str, chars_max: usize) -> Result<(), NameError> {
    match text.chars().count() {
        0 => Err(NameError::Empty { kind }),
        chars if chars > chars_max => Err(NameError::TooLong { kind, chars_max, chars }),
        _ => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:path) => {
        $(#[$doc])*
        ///
        /// Cheap to clone. Parsed with [`FromStr`]; prints as it was parsed.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                $check($kind, text)?;
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// The app, the scope of every durable key.
    AppName, "an app", check_label
);
name!(
    /// A function of the manifest.
    FunctionName, "a function", check_label
);
name!(
    /// A durable queue of the host.
    QueueName, "a queue", check_label
);
name!(
    /// A topic, which fans out to its subscribers.
    TopicName, "a topic", check_label
);
name!(
    /// A stream on an outside broker.
    StreamName, "a stream", check_label
);
name!(
    /// A trigger; keys its durable state, so it must stay the same across restarts.
    TriggerName, "a trigger", check_free
);
name!(
    /// The name under which a guest reads a secret.
    SecretName, "a secret", check_free
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_label_prints_as_it_was_parsed(text in "[a-z]([a-z0-9_-]{0,40}[a-z0-9])?") {
            let name: FunctionName = text.parse().unwrap();
            prop_assert_eq!(name.to_string(), text);
        }

        #[test]
        fn parsing_never_panics(text in ".{0,300}") {
            let _ = text.parse::<FunctionName>();
            let _ = text.parse::<TriggerName>();
        }
    }

    #[test]
    fn names_that_could_not_be_a_host_label_are_refused() {
        for text in ["", "Upper", "1st", "a b", "a.b", "end-", "_a", &"x".repeat(64)] {
            assert!(
                text.parse::<FunctionName>().is_err(),
                "{text:?} was accepted as a function name"
            );
        }
    }
}
