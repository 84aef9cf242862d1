//! Text in HTTP headers, as the CloudEvents HTTP binding (1.0, section 3.1.3.2) writes it: what is
//! not printable ASCII, and the space, `"` and `%`, as percent-encoded UTF-8.

use std::fmt::Write as _;

/// A text as a header's value.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b'!'..=b'~') && byte != b'"' && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The text that a header's value stands for. What is not a valid encoding stays as it is.
pub(crate) fn decode(value: &str) -> String {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let byte = (*first == b'%').then(|| tail.get(..2).and_then(hexadecimal)).flatten();
        decoded.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8(decoded).unwrap_or_else(|_| value.to_owned())
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hexadecimal.then(|| u8::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_survives_a_header(text in ".{0,40}") {
            let encoded = encode(&text);
            prop_assert!(http::HeaderValue::from_str(&encoded).is_ok());
            prop_assert_eq!(decode(&encoded), text);
        }

        #[test]
        fn decoding_never_panics(value in "[ -~]{0,40}") {
            decode(&value);
        }
    }

    #[test]
    fn the_examples_of_the_binding_hold() {
        assert_eq!(encode("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(decode("100%"), "100%", "what is no encoding is itself");
    }
}
