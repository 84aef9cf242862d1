//! `words!`: an enum of which each variant is one word of the manifest.

/// Declares a choice between words.
///
/// ```text
/// words! {
///     /// What is chosen.
///     pub enum Mode { /// What it does. Sync = "sync", }
/// }
/// ```
macro_rules! words {
    ($(#[doc = $doc:literal])* pub enum $name:ident {
        $($(#[doc = $about:literal])* $variant:ident = $word:literal,)*
    }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[doc = $about])* $variant,)*
        }

        impl $name {
            const WORDS: &[&'static str] = &[$($word),*];

            /// The word as the manifest writes it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl $crate::read::Value for $name {
            fn read(
                node: &$crate::read::Node<'_>,
                reader: &mut $crate::read::Reader<'_>,
            ) -> Option<Self> {
                match $crate::read::word(Self::WORDS, node, reader)?.as_str() {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            fn schema() -> serde_json::Value {
                $crate::read::expandable(serde_json::json!({ "enum": Self::WORDS }))
            }

            fn show(&self) -> serde_json::Value {
                self.as_str().into()
            }
        }
    };
}

pub(crate) use words;

use toml::de::DeValue;

use super::{Node, Reader};
use crate::diagnostic::{nearest, one_of};

/// Reads one of some words.
pub(crate) fn word(words: &[&str], node: &Node<'_>, reader: &mut Reader<'_>) -> Option<String> {
    let expected = one_of(words.iter().copied());
    let DeValue::String(written) = node.value else {
        return reader.wrong_type(node, &expected);
    };
    let word = reader.expanded(written, node)?;
    if words.contains(&word.as_str()) {
        return Some(word);
    }
    let near = nearest(&word, words.iter().copied());
    let problem = node.problem(format!("{written:?} is not accepted"));
    reader.report(problem.expected(expected).suggest(near))
}
