//! Identifiers that are made at run time.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;
use ulid::Ulid;

/// Identifies one invocation: a ULID, 26 characters, sortable by the time it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvocationId(Ulid);

impl InvocationId {
    /// Joins a time (milliseconds since 1970, 48 bits are kept) and randomness (80 bits are kept).
    #[must_use]
    pub fn from_parts(time_ms: u64, random: u128) -> Self {
        Self(Ulid::from_parts(time_ms, random))
    }
}

impl InvocationId {
    /// When it was made, in milliseconds since 1970.
    #[must_use]
    pub fn time_ms(self) -> u64 {
        self.0.timestamp_ms()
    }
}

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0_u8; ulid::ULID_LEN];
        f.write_str(self.0.array_to_str(&mut buffer))
    }
}

/// The text is not a ULID.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not an invocation id; expected a ULID of 26 characters")]
pub struct ParseInvocationIdError {
    text: String,
}

impl FromStr for InvocationId {
    type Err = ParseInvocationIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ulid::from_string(text)
            .map(Self)
            .map_err(|_| ParseInvocationIdError { text: text.to_owned() })
    }
}

/// The `id` of a CloudEvent: any non-empty text, unique within its source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Arc<str>);

impl EventId {
    /// Wraps a text; `None` when it is empty.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<InvocationId> for EventId {
    fn from(id: InvocationId) -> Self {
        Self(id.to_string().into())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_invocation_id_survives_print_and_parse(time in 0_u64..1 << 48, random in any::<u128>()) {
            let id = InvocationId::from_parts(time, random);
            prop_assert_eq!(id.to_string().parse::<InvocationId>().unwrap(), id);
            prop_assert_eq!(id.to_string().len(), 26);
        }

        #[test]
        fn later_ids_sort_later(time in 0_u64..(1 << 48) - 1, a in any::<u128>(), b in any::<u128>()) {
            let (earlier, later) =
                (InvocationId::from_parts(time, a), InvocationId::from_parts(time + 1, b));
            prop_assert!(earlier.to_string() < later.to_string());
        }
    }
}
