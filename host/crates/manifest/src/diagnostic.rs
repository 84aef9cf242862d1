//! One thing wrong with a manifest, and how it is shown.

use std::fmt::Write as _;
use std::ops::Range;

/// One error or warning, at its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Byte offsets in the text of the manifest.
    pub span: Range<usize>,
    /// The dotted path of the key, such as `function.checkout.timeout`; empty for a syntax error.
    pub key: String,
    /// What is wrong, with the value as the manifest writes it (never expanded).
    pub message: String,
    /// What would have been accepted.
    pub expected: Option<String>,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// What was written may be long and may hold newlines; a message is a line that people read.
fn one_line(message: String) -> String {
    const CHARS_MAX: usize = 400;
    if message.len() <= CHARS_MAX && !message.contains(char::is_control) {
        return message;
    }
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    let mut line: String = message.chars().take(CHARS_MAX).map(escape).collect();
    if message.chars().nth(CHARS_MAX).is_some() {
        line.push_str("...");
    }
    line
}

impl Diagnostic {
    pub(crate) fn new(span: Range<usize>, key: &str, message: impl Into<String>) -> Self {
        Self {
            span,
            key: key.to_owned(),
            message: one_line(message.into()),
            expected: None,
            suggestion: None,
        }
    }

    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn suggest(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }
}

/// Line and column of a byte offset, both from 1, the column in characters.
#[must_use]
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..text.floor_char_boundary(offset)).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// One line of plain text:
/// `wfh.toml:12:3: function.checkout.timeout: "5x" is not a duration; expected ...; did you mean ...?`
#[must_use]
pub fn render(diagnostic: &Diagnostic, file_name: &str, text: &str) -> String {
    let (line, column) = line_column(text, diagnostic.span.start);
    let mut shown = format!("{file_name}:{line}:{column}: ");
    if !diagnostic.key.is_empty() {
        let _ = write!(shown, "{}: ", diagnostic.key);
    }
    shown.push_str(&diagnostic.message);
    if let Some(expected) = &diagnostic.expected {
        let _ = write!(shown, "; expected {expected}");
    }
    if let Some(suggestion) = &diagnostic.suggestion {
        let _ = write!(shown, "; did you mean \"{suggestion}\"?");
    }
    shown
}

/// The candidate nearest to `text`, if one is near enough to be a slip of the pen.
pub(crate) fn nearest<'c>(
    text: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<String> {
    let distance = |candidate: &str| strsim::damerau_levenshtein(text, candidate);
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count() / 3)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// `` `a`, `b` or `c` ``
pub(crate) fn one_of<'c>(candidates: impl IntoIterator<Item = &'c str>) -> String {
    let quoted: Vec<String> = candidates.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_count_characters() {
        assert_eq!(line_column("a = 1\né = x", 9), (2, 3));
        assert_eq!(line_column("", 0), (1, 1));
    }

    proptest! {
        #[test]
        fn any_offset_has_a_line(text in ".{0,40}", offset in 0_usize..60) {
            let (line, column) = line_column(&text, offset);
            prop_assert!(line >= 1 && column >= 1);
        }
    }
}
