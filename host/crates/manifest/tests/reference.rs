//! docs/manifest.md says what the types say.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "../examples/reference.rs"]
mod reference;

#[test]
fn the_reference_page_is_current() {
    let page = include_str!("../../../../docs/manifest.md");
    assert!(page.contains(reference::MARK), "the page has lost its mark");
    let current = reference::rewritten(page);
    assert!(
        page == current,
        "docs/manifest.md is older than the types: `make reference` writes it"
    );
}

#[test]
fn every_key_of_the_manifest_is_documented() {
    let page = include_str!("../../../../docs/manifest.md");
    for key in
        ["`timeout`", "`[function.NAME.allow]`", "`[[trigger.http]]`", "`tls.cert`", "`build`"]
    {
        assert!(page.contains(key), "{key} is not in the reference");
    }
}
