//! Header maps, there and back.

use http::{HeaderMap, HeaderName, HeaderValue};
use wasip2::http::types::{Fields, HeaderError};

/// What the host gives. It has checked them; what `http` still refuses is left out.
pub(super) fn from_fields(fields: &Fields) -> HeaderMap {
    let entries = fields.entries();
    let mut headers = HeaderMap::with_capacity(entries.len());
    for (name, value) in entries {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    headers
}

pub(super) fn to_fields(headers: &HeaderMap) -> Result<Fields, HeaderError> {
    let entry = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    Fields::from_list(&headers.iter().map(entry).collect::<Vec<_>>())
}
