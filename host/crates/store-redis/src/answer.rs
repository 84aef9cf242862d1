//! What scripts answer, read.

use std::str::FromStr;
use std::vec::IntoIter;

use bytes::Bytes;
use redis::Value as Raw;
use wfh_store::{Claimed, Entry, Key, Now, QueueKey, Receipt, StoreError, Value};

use crate::error::garbled;
use crate::wall_of;

/// An answer: the time it was given at, and what it says.
pub(crate) struct Answer {
    pub(crate) now: Now,
    said: Result<Raw, StoreError>,
}

impl Answer {
    /// Reads what every script answers.
    pub(crate) fn read(raw: Raw) -> Result<Self, StoreError> {
        let mut fields = Fields::of(raw)?;
        let now = Now { wall_ms: fields.number()?, steady_ms: fields.number()? };
        let kind: u64 = fields.number()?;
        let with = fields.next()?;
        let said = match kind {
            0 => Ok(with),
            1 => Err(StoreError::Conflict { op: number(&with)? }),
            2 => Err(StoreError::Full { queue: text(with)? }),
            3 => Err(StoreError::Invalid(text(with)?)),
            _ => return Err(garbled("an answer")),
        };
        Ok(Self { now, said })
    }

    /// A single number.
    pub(crate) fn number<N: FromStr + TryFrom<i64>>(self) -> Result<N, StoreError> {
        number(&self.said?)
    }

    /// Several things.
    pub(crate) fn fields(self) -> Result<Fields, StoreError> {
        Fields::of(self.said?)
    }
}

/// The elements of an answer, one after the other.
pub(crate) struct Fields(IntoIter<Raw>);

impl Fields {
    fn of(raw: Raw) -> Result<Self, StoreError> {
        match raw {
            Raw::Array(elements) => Ok(Self(elements.into_iter())),
            _ => Err(garbled("a list")),
        }
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> Result<Raw, StoreError> {
        self.0.next().ok_or_else(|| garbled("enough elements"))
    }

    /// The next one, a number.
    pub(crate) fn number<N: FromStr + TryFrom<i64>>(&mut self) -> Result<N, StoreError> {
        number(&self.next()?)
    }

    /// The next one, bytes.
    pub(crate) fn bytes(&mut self) -> Result<Bytes, StoreError> {
        bytes(self.next()?)
    }

    /// The next one, several things.
    pub(crate) fn fields(&mut self) -> Result<Self, StoreError> {
        Self::of(self.next()?)
    }

    /// All that is left, each read by `read`.
    pub(crate) fn each<T>(
        self,
        read: impl FnMut(Raw) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.0.map(read).collect()
    }

    /// A value: version, end and bytes.
    pub(crate) fn value(&mut self, now: Now) -> Result<Value, StoreError> {
        let (version, ends_ms) = (self.number()?, self.number()?);
        Ok(Value { bytes: self.bytes()?, version, expires_at_ms: wall_of(now, ends_ms) })
    }
}

/// A key with its value.
pub(crate) fn keyed(raw: Raw, now: Now) -> Result<(Key, Value), StoreError> {
    let mut fields = Fields::of(raw)?;
    let key = Key::new(&text(fields.next()?)?).map_err(|_| garbled("a key"))?;
    Ok((key, fields.value(now)?))
}

/// A queue's name.
pub(crate) fn queue(raw: Raw) -> Result<QueueKey, StoreError> {
    QueueKey::new(&text(raw)?).map_err(|_| garbled("a queue"))
}

/// An entry with the token of its last claim.
pub(crate) fn claimed(raw: Raw, queue: &QueueKey, now: Now) -> Result<Claimed, StoreError> {
    let mut fields = Fields::of(raw)?;
    let (seq, token) = (fields.number()?, fields.number()?);
    let id = text(fields.next()?)?;
    let (appended_at_ms, receives) = (fields.number()?, fields.number()?);
    let due_at_ms = now.wall_of(fields.number()?);
    let group = match fields.next()? {
        Raw::Nil => None,
        group => Some(text(group)?),
    };
    let (state, body) = (fields.bytes()?, fields.bytes()?);
    let entry = Entry { seq, id, body, state, group, appended_at_ms, due_at_ms, receives };
    Ok(Claimed { receipt: Receipt { queue: queue.clone(), seq, token }, entry })
}

/// A number, also one that is written as a text because Lua cannot hold it.
pub(crate) fn number<N: FromStr + TryFrom<i64>>(raw: &Raw) -> Result<N, StoreError> {
    let number = match raw {
        Raw::Int(number) => N::try_from(*number).ok(),
        Raw::BulkString(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()),
        _ => None,
    };
    number.ok_or_else(|| garbled("a number"))
}

fn bytes(raw: Raw) -> Result<Bytes, StoreError> {
    match raw {
        Raw::BulkString(bytes) => Ok(bytes.into()),
        _ => Err(garbled("bytes")),
    }
}

fn text(raw: Raw) -> Result<String, StoreError> {
    match raw {
        Raw::BulkString(bytes) => String::from_utf8(bytes).map_err(|_| garbled("text")),
        Raw::SimpleString(text) => Ok(text),
        _ => Err(garbled("text")),
    }
}
