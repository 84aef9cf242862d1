//! No text may make the parser panic, and every error has its place inside the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wfh_manifest::{Manifest, render};

fuzz_target!(|text: &str| {
    let env = |name: &str| (name.len() % 2 == 0).then(|| name.to_owned());
    let said = match Manifest::parse(text, &env) {
        Ok(parsed) => parsed.warnings,
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without an error");
            errors
        }
    };
    for diagnostic in &said {
        assert!(diagnostic.span.end <= text.len(), "{diagnostic:?} is outside the text");
        let _ = render(diagnostic, "wfh.toml", text);
    }
});
