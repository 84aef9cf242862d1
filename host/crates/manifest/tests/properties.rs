//! What holds for every text: no panic, every error in its place, in order.

// A test that fails by a panic fails as it should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use wfh_manifest::{Manifest, render};

const CONTRACT: &str = include_str!("data/contract.toml");

fn check(text: &str) -> Result<(), TestCaseError> {
    let Err(errors) = Manifest::parse(text, &|name| Some(name.to_lowercase())) else {
        return Ok(());
    };
    prop_assert!(!errors.is_empty(), "refused without an error");
    prop_assert!(errors.is_sorted_by_key(|error| error.span.start), "errors are out of order");
    for error in &errors {
        prop_assert!(text.get(error.span.clone()).is_some(), "{error:?} is not in the text");
        prop_assert!(!render(error, "wfh.toml", text).contains('\n'), "{error:?} is not one line");
    }
    Ok(())
}

/// The contract's example with one piece replaced.
fn damaged() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(String::new()),
        "[\\[\\]{}=\"',.#\n$0-9a-z-]{0,6}",
        prop::sample::select(vec!["\"${X}\"", "[a]\n", "\"5x\"", "-1", "{}", "[]", "\"\"\""])
            .prop_map(str::to_owned),
    ];
    (0..CONTRACT.len(), 0_usize..20, piece).prop_filter_map(
        "inside a character",
        |(start, len, piece)| {
            let end = (start + len).min(CONTRACT.len());
            Some(format!("{}{piece}{}", CONTRACT.get(..start)?, CONTRACT.get(end..)?))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_damaged_manifest_has_errors_in_their_places(text in damaged()) {
        check(&text)?;
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "([\\[\\]{}=\"'.#\n$a-z0-9 -]|app|function|trigger|http){0,60}") {
        check(&text)?;
    }
}
