//! How things in a store are called.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// The most bytes of a key or a queue's name.
const NAME_BYTES_MAX: usize = 2_048;

/// A name is empty, or longer than a store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a name in the store has 1 to 2048 bytes, this one {0}")]
pub struct NameTooLong(usize);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a text.
            ///
            /// # Errors
            /// It is empty or too long.
            pub fn new(text: &str) -> Result<Self, NameTooLong> {
                match text.len() {
                    1..=NAME_BYTES_MAX => Ok(Self(text.into())),
                    length => Err(NameTooLong(length)),
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// Names a value. Keys sort by their bytes; a `/` separates kinds by convention.
    Key
}

name! {
    /// Names a queue. A queue exists while it has entries.
    QueueKey
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_neither_empty_nor_endless() {
        assert!(Key::new("a").is_ok());
        assert!(Key::new("").is_err());
        assert!(QueueKey::new(&"a".repeat(2_048)).is_ok());
        assert!(QueueKey::new(&"a".repeat(2_049)).is_err());
    }
}
