use proptest::prelude::*;
use serde_json::json;

use super::*;

fn pattern(json: Value) -> Result<Pattern, PatternError> {
    let Value::Object(fields) = json else { panic!("a pattern is an object") };
    Pattern::parse(&fields)
}

#[track_caller]
fn check(json: Value, document: &Value, expected: bool) {
    let pattern = pattern(json).unwrap();
    let matched = pattern.matches(|name| document.get(name));
    assert_eq!(matched, expected, "{pattern:?} on {document}");
}

#[test]
fn every_word_matches_what_it_says() {
    let document = json!({
        "status": "paid", "total": 120.5, "tags": ["a", "b"], "none": null,
        "customer": { "id": 7, "vip": true }
    });
    for (json, expected) in [
        (json!({ "status": ["paid"] }), true),
        (json!({ "status": ["open", "paid"] }), true),
        (json!({ "status": ["open"] }), false),
        (json!({ "status": [{ "prefix": "pa" }] }), true),
        (json!({ "status": [{ "prefix": "ai" }] }), false),
        (json!({ "total": [{ "prefix": "1" }] }), false),
        (json!({ "total": [{ "numeric": [">", 100] }] }), true),
        (json!({ "total": [{ "numeric": [">", 100, "<=", 120] }] }), false),
        (json!({ "status": [{ "numeric": [">", 0] }] }), false),
        (json!({ "customer": { "id": [7.0] } }), true),
        (json!({ "customer": { "id": [8] } }), false),
        (json!({ "customer": { "vip": [true], "id": [{ "exists": true }] } }), true),
        (json!({ "customer": { "name": [{ "exists": false }] } }), true),
        (json!({ "nobody": { "name": [{ "exists": false }] } }), true),
        (json!({ "nobody": { "name": ["x"] } }), false),
        (json!({ "tags": ["b"] }), true),
        (json!({ "tags": ["c"] }), false),
        (json!({ "none": [null] }), true),
        (json!({ "status": [{ "anything-but": ["open", "late"] }] }), true),
        (json!({ "status": [{ "anything-but": "paid" }] }), false),
        (json!({ "status": [{ "anything-but": { "prefix": "pa" } }] }), false),
        (json!({ "absent": [{ "anything-but": "paid" }] }), false),
        (json!({ "status": ["paid"], "total": [1] }), false),
    ] {
        check(json, &document, expected);
    }
}

#[test]
fn what_is_no_pattern_is_refused_with_its_place() {
    for (json, at, part) in [
        (json!({}), "", "names no field"),
        (json!({ "a": "b" }), "a", "expected a list"),
        (json!({ "a": [] }), "a", "matches nothing"),
        (json!({ "a": { "b": [[1]] } }), "a.b", "a list inside a list"),
        (json!({ "a": [{ "suffix": "x" }] }), "a", "there is no word `suffix`"),
        (json!({ "a": [{ "prefix": 1 }] }), "a", "expected a text"),
        (json!({ "a": [{ "numeric": [">"] }] }), "a", "wrong value"),
        (json!({ "a": [{ "numeric": [] }] }), "a", "wrong value"),
        (json!({ "a": [{ "exists": "yes" }] }), "a", "true or false"),
        (json!({ "a": [{ "prefix": "x", "exists": true }] }), "a", "expected one word"),
        (json!({ "a": [{ "anything-but": [{ "exists": true }] }] }), "a", "takes values"),
    ] {
        let error = pattern(json).unwrap_err();
        assert_eq!(error.at, at);
        assert!(error.reason.contains(part), "{error}");
    }
}

proptest! {
    #[test]
    fn a_value_and_anything_but_it_exclude_each_other(text in "[a-z]{0,4}", other in "[a-z]{0,4}") {
        let document = json!({ "f": text });
        let equal = pattern(json!({ "f": [other] })).unwrap();
        let unequal = pattern(json!({ "f": [{ "anything-but": other }] })).unwrap();
        let field = |name: &str| document.get(name);
        prop_assert_ne!(equal.matches(field), unequal.matches(field));
    }
}
