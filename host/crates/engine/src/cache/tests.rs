use super::*;

fn cache(bytes_max: u64) -> (Cache, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (Cache::open(directory.path().join("cache"), bytes_max).unwrap(), directory)
}

#[test]
fn an_entry_comes_back_and_is_private() {
    let (cache, _directory) = cache(1000);
    cache.put("k", b"content").unwrap();
    assert_eq!(cache.get("k").as_deref(), Some(&b"content"[..]));
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&cache.directory), 0o700, "others can reach the cache");
    assert_eq!(mode(&cache.path("k")), 0o600, "others can read a cache entry");
}

#[test]
fn a_damaged_entry_is_never_given_out_and_goes_away() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [Damage; 5] = [
        |bytes| bytes.truncate(10),
        |bytes| bytes.truncate(HEADER_BYTES + 3),
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        |bytes| bytes[MAGIC.len()] ^= 1,
        |bytes| bytes[0] ^= 1,
    ];
    for (which, damage) in damages.iter().enumerate() {
        let (cache, _directory) = cache(1000);
        cache.put("k", b"content").unwrap();
        let mut bytes = fs::read(cache.path("k")).unwrap();
        damage(&mut bytes);
        fs::write(cache.path("k"), bytes).unwrap();
        assert_eq!(cache.get("k"), None, "damage {which} was not noticed");
        assert!(!cache.path("k").exists(), "damaged entry {which} was left in place");
    }
}

#[test]
fn an_entry_that_others_may_write_is_not_trusted() {
    let (cache, _directory) = cache(1000);
    cache.put("k", b"content").unwrap();
    fs::set_permissions(cache.path("k"), Permissions::from_mode(0o666)).unwrap();
    assert_eq!(cache.get("k"), None);
}

#[test]
fn the_least_recently_used_entries_go_first() {
    let (cache, _directory) = cache(2 * (HEADER_BYTES as u64 + 100));
    for (age, key) in [(30, "old"), (20, "older-but-used"), (10, "new")] {
        cache.put(key, &[7; 100]).unwrap();
        let used = SystemTime::now() - std::time::Duration::from_secs(age);
        File::open(cache.path(key)).unwrap().set_modified(used).unwrap();
    }
    assert!(cache.get("old").is_some(), "a use must count");
    cache.evict().unwrap();
    assert!(cache.get("older-but-used").is_none(), "the bound was not kept");
    assert!(cache.get("old").is_some() && cache.get("new").is_some(), "the wrong entry went");
}
