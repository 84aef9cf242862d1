//! Compiled components are kept, trusted only when they are whole and ours, and mended otherwise.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::Setup;

fn entries(data: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> =
        fs::read_dir(data.join("cache")).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

/// Serves hello from the cache in `data` and stops; gives all that the host said.
async fn serve(data: &Path) -> String {
    let mut host = Setup::new().data_dir(data).function("hello", "hello", "").serve().await;
    assert_eq!(host.get("/hello").await.text(), "hello, world\n");
    host.signal(Signal::TERM);
    host.ends().await;
    host.says("draining").await;
    host.stderr()
}

#[tokio::test]
async fn a_compiled_component_is_kept_for_its_owner_only() {
    let data = TempDir::new().unwrap();
    serve(data.path()).await;
    let kept = entries(data.path());
    assert_eq!(kept.len(), 1, "one component, one entry, nothing else: {kept:?}");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data.path().join("cache")), 0o700, "others may look into the cache");
    assert_eq!(mode(&kept[0]), 0o600, "others may read an entry");
    let before = (fs::metadata(&kept[0]).unwrap().ino(), fs::read(&kept[0]).unwrap());
    serve(data.path()).await;
    assert_eq!(entries(data.path()), kept);
    let after = (fs::metadata(&kept[0]).unwrap().ino(), fs::read(&kept[0]).unwrap());
    assert!(before == after, "a good entry is compiled again");
}

#[tokio::test]
async fn a_spoiled_entry_is_replaced_and_never_loaded() {
    let data = TempDir::new().unwrap();
    serve(data.path()).await;
    let entry = entries(data.path()).remove(0);
    let good = fs::read(&entry).unwrap();
    let (middle, end) = (good.len() / 2, good.len() - 1);
    let mut flipped = good.clone();
    flipped[middle] ^= 1;
    let mut last = good.clone();
    last[end] ^= 0x80;
    let spoiled: [(&str, &[u8]); 6] = [
        ("a flipped bit", &flipped),
        ("a flipped last byte", &last),
        ("a cut end", &good[..middle]),
        ("a header alone", &good[..8]),
        ("nothing", b""),
        ("something else", b"\x7fELF this is not an entry of ours at all, whatever it says"),
    ];
    for (what, bytes) in spoiled {
        fs::write(&entry, bytes).unwrap();
        let said = serve(data.path()).await;
        assert!(said.contains("cache entry replaced"), "nobody is told of {what}: {said}");
        let now = fs::read(&entry).unwrap();
        assert!(now.len() == good.len() && now != bytes, "{what} stays in the cache");
    }
    fs::set_permissions(&entry, Permissions::from_mode(0o666)).unwrap();
    let said = serve(data.path()).await;
    assert!(said.contains("cache entry replaced"), "an entry that others may write is trusted");
    let mode = fs::metadata(&entry).unwrap().mode() & 0o777;
    assert_eq!(mode, 0o600, "others may still write the entry");
}

#[tokio::test]
async fn a_cache_that_others_may_use_is_closed() {
    let data = TempDir::new().unwrap();
    fs::create_dir(data.path().join("cache")).unwrap();
    fs::set_permissions(data.path().join("cache"), Permissions::from_mode(0o777)).unwrap();
    serve(data.path()).await;
    let mode = fs::metadata(data.path().join("cache")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "the cache stays open to others");
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_used_is_refused() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let ended = Setup::new().data_dir(&file).function("hello", "hello", "").serve_refused().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("WFH-1011"), "{}", ended.stderr);
}
