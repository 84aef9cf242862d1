//! Query parameters, percent-decoded.

use wasip2::http::types::IncomingRequest;

/// The first value of a query parameter.
pub fn query(request: &IncomingRequest, name: &str) -> Option<String> {
    query_all(request, name).into_iter().next()
}

/// A query parameter as a number; absent and unreadable are the same.
pub fn query_number(request: &IncomingRequest, name: &str) -> Option<u64> {
    query(request, name)?.parse().ok()
}

/// Every value of a query parameter, in order.
pub fn query_all(request: &IncomingRequest, name: &str) -> Vec<String> {
    let path_with_query = request.path_with_query().unwrap_or_default();
    let Some((_, query)) = path_with_query.split_once('?') else {
        return Vec::new();
    };
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(key, _)| percent_decoded(key) == name)
        .map(|(_, value)| percent_decoded(value))
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => match tail.split_first_chunk().and_then(|(hex, _)| hex_byte(*hex)) {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &tail[2..];
                }
                None => bytes.push(b'%'),
            },
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_byte([high, low]: [u8; 2]) -> Option<u8> {
    let high = char::from(high).to_digit(16)?;
    let low = char::from(low).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}
