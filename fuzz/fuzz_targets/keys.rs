//! The first line is a part of an idempotency key, the rest a payload: nothing may panic, and what is
//! found is found again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wfh_event::KeyPart;

fuzz_target!(|text: &str| {
    let (part, payload) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(part) = part.parse::<KeyPart>() else { return };
    let printed = part.to_string();
    assert_eq!(printed.parse::<KeyPart>().as_ref(), Ok(&part), "{printed:?} is another part");
    if let KeyPart::Json(path) = &part {
        assert_eq!(path.select(payload.as_bytes()), path.select(payload.as_bytes()));
    }
});
