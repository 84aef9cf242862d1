//! Reading a TOML document value by value, so that every error is found and has its place.
//!
//! [`Value`] is what can be read; `table!` and `words!` implement it for structs and enums, [`Text`]
//! for whatever is written as one string.

mod collection;
mod expand;
mod fields;
mod names;
mod number;
mod schema;
mod spans;
mod table;
mod text;
mod units;
mod words;

use std::ops::Range;

use serde_json::Value as Json;
use toml::de::DeValue;
use wfh_event::{Target, TriggerName};

use crate::{Diagnostic, Route};

pub use collection::OneOrMany;
pub(crate) use collection::{Either, either};
pub(crate) use fields::{Bounded, Fields, MISSING};
pub(crate) use schema::{ObjectSchema, bound, expandable};
pub use spans::Spans;
pub(crate) use table::table;
pub(crate) use text::{Misfit, Text};
pub(crate) use units::{days, gibibytes, hours, kibibytes, mebibytes, millis, minutes, seconds};
pub(crate) use words::{word, words};

/// What a manifest may hold under a key.
pub(crate) trait Value: Sized {
    /// Reads one value. `None` says that it is wrong and has been reported.
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self>;

    /// The JSON Schema of the values that `read` takes.
    fn schema() -> Json;

    /// What stands in for a missing key; `None` makes the key required.
    fn absent() -> Option<Self> {
        None
    }

    /// The value as the manifest would write it, to show defaults; null when there is no such form.
    fn show(&self) -> Json {
        Json::Null
    }
}

/// One value of the document, with its place and its path.
pub(crate) struct Node<'d> {
    pub(crate) value: &'d DeValue<'d>,
    pub(crate) span: Range<usize>,
    pub(crate) key: String,
}

impl Node<'_> {
    /// An error about this value.
    pub(crate) fn problem(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.span.clone(), &self.key, message)
    }
}

/// A target that the manifest mentions and that must be declared.
pub(crate) struct Reference {
    pub(crate) target: Target,
    pub(crate) key: String,
    pub(crate) span: Range<usize>,
}

/// A trigger as read, for what must hold between triggers.
pub(crate) struct Declared {
    pub(crate) name: TriggerName,
    pub(crate) key: String,
    pub(crate) span: Range<usize>,
    pub(crate) route: Option<Route>,
}

/// What is gathered while the document is walked.
pub(crate) struct Reader<'d> {
    text: &'d str,
    env: &'d dyn Fn(&str) -> Option<String>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) references: Vec<Reference>,
    pub(crate) triggers: Vec<Declared>,
    pub(crate) spans: Spans,
}

impl<'d> Reader<'d> {
    pub(crate) fn new(text: &'d str, env: &'d dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            text,
            env,
            diagnostics: Vec::new(),
            references: Vec::new(),
            triggers: Vec::new(),
            spans: Spans::default(),
        }
    }

    /// Keeps an error; `None`, so that a `read` can end with it.
    pub(crate) fn report<T>(&mut self, diagnostic: Diagnostic) -> Option<T> {
        self.diagnostics.push(diagnostic);
        None
    }

    /// Keeps an error about a key below a table, given by its path from there.
    pub(crate) fn report_at(&mut self, table: &Node<'_>, key: &str, message: impl Into<String>) {
        let path = format!("{}.{key}", table.key);
        let span = self.spans.get(&path).unwrap_or_else(|| table.span.clone());
        self.diagnostics.push(Diagnostic::new(span, &path, message));
    }

    /// A node below another one; remembers its place.
    pub(crate) fn child<'n>(
        &mut self,
        value: &'n toml::Spanned<DeValue<'n>>,
        key: String,
    ) -> Node<'n> {
        let span = value.span();
        self.spans.insert(key.clone(), span.clone());
        Node { value: value.get_ref(), span, key }
    }

    /// Reports a value of another type than the one expected.
    pub(crate) fn wrong_type<T>(&mut self, node: &Node<'_>, expected: &str) -> Option<T> {
        let found = match node.value {
            DeValue::Array(_) => "an array is not accepted here".to_owned(),
            DeValue::Table(_) => "a table is not accepted here".to_owned(),
            _ => {
                let source = self.text.get(node.span.clone()).unwrap_or_default();
                format!("{} is {} {}", excerpt(source), article(node.value), node.value.type_str())
            }
        };
        self.report(node.problem(found).expected(expected))
    }

    /// A string with its variables expanded.
    pub(crate) fn expanded(&mut self, text: &str, node: &Node<'_>) -> Option<String> {
        match expand::expand(text, self.env) {
            Ok(expanded) => Some(expanded),
            Err(error) => self.report(node.problem(error.to_string())),
        }
    }
}

fn article(value: &DeValue<'_>) -> &'static str {
    if matches!(value, DeValue::Integer(_)) { "an" } else { "a" }
}

/// What was written, short enough for one line of a message.
fn excerpt(source: &str) -> String {
    const CHARS_MAX: usize = 80;
    let line = source.lines().next().unwrap_or_default();
    let short: String = line.chars().take(CHARS_MAX).collect();
    if short.len() == source.len() { short } else { short + "..." }
}

/// `parent.key`, with quotes where TOML needs them.
pub(crate) fn join(parent: &str, key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let shown =
        if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { format!("{key:?}") };
    if parent.is_empty() { shown } else { format!("{parent}.{shown}") }
}
