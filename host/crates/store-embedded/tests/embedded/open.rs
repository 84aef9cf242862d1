//! What is refused at open.

use rusqlite::Connection;
use tempfile::TempDir;
use wfh_store_embedded::OpenError;

use crate::{commit, open, try_open, whole};

#[tokio::test]
async fn a_directory_has_one_process() {
    let directory = TempDir::new().unwrap();
    let first = open(directory.path());
    let error = try_open(directory.path()).unwrap_err();
    let text = error.to_string();
    let named = text.contains(&directory.path().display().to_string());
    assert!(matches!(error, OpenError::InUse { .. }) && named, "the error names both: {text}");
    assert!(text.contains(&std::process::id().to_string()), "it names the holder: {text}");
    commit(&first, 1).await.unwrap();
    drop(first);
    assert_eq!(whole(&open(directory.path())).await, [1], "it is free once it is closed");
}

#[test]
fn a_directory_that_is_made_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("data/store");
    drop(open(&directory));
    for path in [&directory, &parent.path().join("data")] {
        let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "others can read {}", path.display());
    }
}

#[test]
fn a_newer_or_foreign_file_is_refused_and_left_alone() {
    let directory = TempDir::new().unwrap();
    drop(open(directory.path()));
    let path = directory.path().join("store.db");
    let edit = |pragma: &str, value: i64| {
        Connection::open(&path).unwrap().pragma_update(None, pragma, value).unwrap();
    };
    edit("user_version", 99);
    let error = try_open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
    edit("user_version", 1);
    edit("application_id", 7);
    let error = try_open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    edit("application_id", 0x7766_6873);
    drop(open(directory.path()));
}

#[test]
fn a_place_that_is_no_directory_is_named() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = try_open(&file).unwrap_err();
    let named = error.to_string().contains(&file.display().to_string());
    assert!(matches!(error, OpenError::Unusable { .. }) && named, "{error}");
}
