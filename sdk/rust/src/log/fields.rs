//! The fields of a record or a span, as text.

use std::fmt::Debug;

use tracing::field::{Field, Visit};

/// `message` apart, the others in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    message: String,
    others: Vec<(String, String)>,
}

impl Fields {
    /// Adds a span's fields; what is there already is nearer to the record and stays.
    pub(super) fn add_outer(&mut self, outer: &Self) {
        for (name, value) in &outer.others {
            if self.others.iter().all(|(known, _)| known != name) {
                self.others.push((name.clone(), value.clone()));
            }
        }
    }

    pub(super) fn into_parts(self) -> (String, Vec<(String, String)>) {
        (self.message, self.others)
    }

    /// All but the message.
    pub(super) fn others(&self) -> &[(String, String)] {
        &self.others
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Takes later values in the place of earlier ones.
    pub(super) fn replace(&mut self, later: Self) {
        for (name, value) in later.others {
            self.set(&name, value);
        }
    }

    fn set(&mut self, name: &str, value: String) {
        if name == "message" {
            self.message = value;
            return;
        }
        match self.others.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.others.push((name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field.name(), format!("{value:?}"));
    }

    /// Not through `Debug`: the standard library's way to print a float is larger than all else here.
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), ryu::Buffer::new().format(value).to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.set(field.name(), value.to_string());
    }
}
