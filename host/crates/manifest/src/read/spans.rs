//! Where the values of a manifest stand.

use std::collections::BTreeMap;
use std::ops::Range;

/// Where the values of a manifest stand in its text, by dotted path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans(BTreeMap<String, Range<usize>>);

impl Spans {
    /// The place of a key's value, such as `function.checkout.component`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Range<usize>> {
        self.0.get(key).cloned()
    }

    /// The place of a key or, when the text lacks it, of the nearest table around it.
    #[must_use]
    pub fn around(&self, key: &str) -> Option<Range<usize>> {
        let parents = std::iter::successors(Some(key), |key| {
            key.rfind(['.', '[']).and_then(|end| key.get(..end))
        });
        parents.filter_map(|key| self.get(key)).next()
    }

    pub(super) fn insert(&mut self, key: String, span: Range<usize>) {
        self.0.insert(key, span);
    }

    /// The keys directly below one.
    pub(crate) fn names(&self, key: &str) -> impl Iterator<Item = &str> {
        let below = format!("{key}.");
        let after = below.clone();
        self.0
            .range(below.clone()..)
            .take_while(move |(next, _)| next.starts_with(&below))
            .filter_map(move |(next, _)| next.strip_prefix(after.as_str()))
            .filter(|name| !name.contains(['.', '[']))
    }

    /// Whether the text has a key below this one.
    pub(crate) fn any_below(&self, key: &str) -> bool {
        let below = format!("{key}.");
        self.0.range(below.clone()..).next().is_some_and(|(next, _)| next.starts_with(&below))
    }
}
