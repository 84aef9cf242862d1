//! The CloudEvents 1.0 envelope.

use std::collections::BTreeMap;

use bytes::Bytes;
use thiserror::Error;

use crate::EventId;

/// A CloudEvents 1.0 event. `specversion` is implied.
///
/// `data` is opaque bytes; `None` is an event without data (a Kafka tombstone, for one).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Unique within `source`.
    pub id: EventId,
    /// A URI reference; never empty.
    pub source: String,
    /// The kind of occurrence, such as `com.example.order.paid`; never empty.
    pub r#type: String,
    /// What of the source it is about.
    pub subject: Option<String>,
    /// RFC 3339.
    pub time: Option<String>,
    /// The media type of `data`.
    pub datacontenttype: Option<String>,
    /// A URI of the schema of `data`.
    pub dataschema: Option<String>,
    /// Extension attributes, by name.
    pub extensions: BTreeMap<String, String>,
    /// The payload.
    pub data: Option<Bytes>,
}

/// Why attributes do not make an event.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EventError {
    /// A required attribute is absent or empty.
    #[error("the CloudEvents attribute `{attribute}` is required and must not be empty")]
    Missing {
        /// Which one.
        attribute: &'static str,
    },
    /// The event speaks another version.
    #[error("CloudEvents specversion {found:?} is not supported; expected `1.0`")]
    SpecVersion {
        /// The version found.
        found: String,
    },
    /// An attribute name is not lower-case letters and digits.
    #[error("{name:?} is not a CloudEvents attribute name; expected lower-case letters and digits")]
    AttributeName {
        /// The name found.
        name: String,
    },
}

impl Event {
    /// An event with only the required attributes.
    pub fn new(id: EventId, source: impl Into<String>, r#type: impl Into<String>) -> Self {
        Self {
            id,
            source: source.into(),
            r#type: r#type.into(),
            subject: None,
            time: None,
            datacontenttype: None,
            dataschema: None,
            extensions: BTreeMap::new(),
            data: None,
        }
    }

    /// Builds an event from attribute pairs, as binary mode carries them (without their `ce-`
    /// prefix).
    ///
    /// # Errors
    /// A required attribute is missing, `specversion` is not 1.0, or a name is not allowed.
    pub fn from_attributes<'a>(
        attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
        datacontenttype: Option<String>,
        data: Option<Bytes>,
    ) -> Result<Self, EventError> {
        let mut all: BTreeMap<&str, String> =
            attributes.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        match all.remove("specversion") {
            None => {
                return Err(EventError::Missing { attribute: "specversion" });
            }
            Some(version) if version != "1.0" => {
                return Err(EventError::SpecVersion { found: version });
            }
            Some(_) => {}
        }
        let mut required = |attribute: &'static str| {
            all.remove(attribute)
                .filter(|value| !value.is_empty())
                .ok_or(EventError::Missing { attribute })
        };
        let (id, source, r#type) = (required("id")?, required("source")?, required("type")?);
        let id = EventId::new(&id).ok_or(EventError::Missing { attribute: "id" })?;
        let mut event = Self::new(id, source, r#type);
        event.subject = all.remove("subject");
        event.time = all.remove("time");
        event.dataschema = all.remove("dataschema");
        event.datacontenttype = datacontenttype.or_else(|| all.remove("datacontenttype"));
        event.data = data;
        for (name, value) in all {
            if name.is_empty()
                || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            {
                return Err(EventError::AttributeName { name: name.to_owned() });
            }
            event.extensions.insert(name.to_owned(), value);
        }
        Ok(event)
    }

    /// The attributes as pairs, `specversion` first, `datacontenttype` and data left out: what
    /// binary mode carries beside the body.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        let optional = [
            ("subject", self.subject.as_deref()),
            ("time", self.time.as_deref()),
            ("dataschema", self.dataschema.as_deref()),
        ];
        [
            ("specversion", "1.0"),
            ("id", self.id.as_str()),
            ("source", &self.source),
            ("type", &self.r#type),
        ]
        .into_iter()
        .chain(optional.into_iter().filter_map(|(name, value)| Some((name, value?))))
        .chain(self.extensions.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn attributes_survive_a_round_trip(
            id in "[ -~]{1,20}", source in "[ -~]{1,20}", kind in "[ -~]{1,20}",
            subject in proptest::option::of("[ -~]{0,20}"),
            extensions in proptest::collection::btree_map("x[a-z0-9]{1,10}", "[ -~]{0,20}", 0..4),
            data in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
        ) {
            let mut event = Event::new(EventId::new(&id).unwrap(), source, kind);
            event.subject = subject;
            event.extensions = extensions;
            event.data = data.clone().map(Bytes::from);
            let again = Event::from_attributes(event.attributes(), None, event.data.clone()).unwrap();
            prop_assert_eq!(again, event);
        }
    }

    #[test]
    fn a_missing_or_foreign_attribute_is_named() {
        let base = [("specversion", "1.0"), ("id", "1"), ("source", "/s"), ("type", "t")];
        for left_out in ["specversion", "id", "source", "type"] {
            let rest = base.into_iter().filter(|(name, _)| *name != left_out);
            assert_eq!(
                Event::from_attributes(rest, None, None),
                Err(EventError::Missing { attribute: left_out })
            );
        }
        let odd = base.into_iter().chain([("Bad-Name", "x")]);
        assert!(matches!(
            Event::from_attributes(odd, None, None),
            Err(EventError::AttributeName { .. })
        ));
    }
}
