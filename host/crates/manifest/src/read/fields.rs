//! The keys of one table: each is taken once, what is left over is unknown.

use std::ops::RangeInclusive;

use toml::de::{DeTable, DeValue};

use super::{Node, Reader, Value, join};
use crate::Diagnostic;
use crate::diagnostic::{nearest, one_of};

/// A table while its keys are read.
pub(crate) struct Fields<'n> {
    node: &'n Node<'n>,
    table: &'n DeTable<'n>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Opens a table; anything else is reported.
    pub(crate) fn open(node: &'n Node<'n>, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            DeValue::Table(table) => Some(Self { node, table, known: Vec::new() }),
            _ => reader.wrong_type(node, "a table"),
        }
    }

    /// Reads the value of a key. A missing key, and one whose value is wrong and reported, gives
    /// `absent`; a missing key without it is reported too.
    pub(crate) fn read<T: Value>(
        &mut self,
        key: &'static str,
        absent: Option<T>,
        reader: &mut Reader<'_>,
    ) -> Option<T> {
        self.known.push(key);
        match self.table.get(key) {
            Some(value) => {
                let node = reader.child(value, join(&self.node.key, key));
                T::read(&node, reader).or(absent)
            }
            None if absent.is_none() => reader.report(self.missing(key)),
            None => absent,
        }
    }

    /// Reports a value that is outside its bounds.
    pub(crate) fn check<T: Bounded>(
        &self,
        key: &str,
        value: Option<&T>,
        bounds: &RangeInclusive<T::Scalar>,
        reader: &mut Reader<'_>,
    ) {
        let outside = value.and_then(Bounded::scalar).filter(|scalar| !bounds.contains(scalar));
        if let (Some(scalar), Some(value)) = (outside, self.table.get(key)) {
            let message = format!("{} is out of bounds", scalar.show());
            let diagnostic = Diagnostic::new(value.span(), &join(&self.node.key, key), message);
            let expected = format!("from {} to {}", bounds.start().show(), bounds.end().show());
            reader.diagnostics.push(diagnostic.expected(expected));
        }
    }

    /// Reports the keys that nobody read.
    pub(crate) fn finish(self, reader: &mut Reader<'_>) {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            let near = nearest(name, self.known.iter().copied());
            let path = join(&self.node.key, name);
            let mut unknown = Diagnostic::new(key.span(), &path, "unknown key");
            if near.is_none() {
                unknown = unknown.expected(one_of(self.known.iter().copied()));
            }
            reader.diagnostics.push(unknown.suggest(near));
        }
    }

    fn missing(&self, key: &str) -> Diagnostic {
        let path = join(&self.node.key, key);
        Diagnostic::new(self.node.span.clone(), &path, MISSING)
    }
}

/// The message of a key that is required and not there.
pub(crate) const MISSING: &str = "this key is required and missing";

/// What may have bounds: a scalar, or an optional one.
pub(crate) trait Bounded {
    /// What is compared.
    type Scalar: Value + PartialOrd;
    /// The value, if there is one.
    fn scalar(&self) -> Option<&Self::Scalar>;
}

impl<T: Value + PartialOrd> Bounded for Option<T> {
    type Scalar = T;

    fn scalar(&self) -> Option<&T> {
        self.as_ref()
    }
}

macro_rules! bounded {
    ($($scalar:ty),*) => { $(impl Bounded for $scalar {
        type Scalar = Self;

        fn scalar(&self) -> Option<&Self> {
            Some(self)
        }
    })* };
}
bounded!(u8, u32, u64, f64, std::time::Duration, bytesize::ByteSize);
