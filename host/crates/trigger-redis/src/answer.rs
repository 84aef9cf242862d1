//! What comes back of a server, in either protocol version.

use bytes::Bytes;
use redis::{ErrorKind, RedisError, RedisResult, Value};

/// Names of fields with their values.
pub(crate) type Fields = Vec<(Bytes, Bytes)>;

fn unexpected(wanted: &'static str) -> RedisError {
    RedisError::from((ErrorKind::UnexpectedReturnType, wanted))
}

/// Several values; nothing is none of them.
pub(crate) fn array(value: Value) -> RedisResult<Vec<Value>> {
    match value {
        Value::Array(values) | Value::Set(values) => Ok(values),
        Value::Map(pairs) => Ok(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()),
        Value::Nil => Ok(Vec::new()),
        _ => Err(unexpected("expected an array")),
    }
}

pub(crate) fn bytes(value: Value) -> RedisResult<Bytes> {
    match value {
        Value::BulkString(bytes) => Ok(bytes.into()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(text.into()),
        Value::Int(number) => Ok(number.to_string().into()),
        Value::Okay => Ok(Bytes::from_static(b"OK")),
        Value::Nil => Ok(Bytes::new()),
        _ => Err(unexpected("expected a string")),
    }
}

pub(crate) fn text(value: Value) -> RedisResult<String> {
    Ok(String::from_utf8_lossy(&bytes(value)?).into_owned())
}

pub(crate) fn number(value: Value) -> RedisResult<u64> {
    text(value)?.parse().map_err(|_| unexpected("expected a number"))
}

/// Values in pairs, as maps come in the older protocol.
pub(crate) fn pairs(value: Value) -> RedisResult<Vec<(Value, Value)>> {
    let mut pairs = Vec::new();
    let mut values = array(value)?.into_iter();
    while let Some(first) = values.next() {
        pairs.push((first, values.next().ok_or_else(|| unexpected("expected pairs"))?));
    }
    Ok(pairs)
}

/// The entries of a stream; one that was deleted has no fields and is left out.
pub(crate) fn entries(value: Value) -> RedisResult<Vec<(String, Fields)>> {
    let mut found = Vec::new();
    for entry in array(value)? {
        let mut parts = array(entry)?.into_iter();
        if let (Some(id), Some(fields)) = (parts.next(), parts.next())
            && fields != Value::Nil
        {
            let fields = pairs(fields)?.into_iter();
            let fields = fields.map(|(name, value)| Ok((bytes(name)?, bytes(value)?)));
            found.push((text(id)?, fields.collect::<RedisResult<_>>()?));
        }
    }
    Ok(found)
}
