//! The request header `Prefer` (RFC 7240): a client that asks for its answer at once.

use http::{HeaderMap, HeaderName};

const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The preference of a client that does not wait for the call to end (RFC 7240, section 4.1).
pub const RESPOND_ASYNC: &str = "respond-async";

/// Whether a client does not wait for the call to end.
#[must_use]
pub fn prefers_async(headers: &HeaderMap) -> bool {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .filter_map(|preference| preference.split(';').next())
        .any(|name| name.trim().eq_ignore_ascii_case(RESPOND_ASYNC))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_preference_is_found_among_others() {
        let wanted = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.append(PREFER, HeaderValue::from_static(text));
            prefers_async(&headers)
        };
        for text in
            ["respond-async", "Respond-Async", "wait=10, respond-async", "respond-async; x=1"]
        {
            assert!(wanted(text), "{text:?} is not understood");
        }
        for text in ["", "respond-sync", "x=respond-async"] {
            assert!(!wanted(text), "{text:?} is misunderstood");
        }
    }
}
