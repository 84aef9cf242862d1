use std::fs;
use std::path::Path;

use tempfile::TempDir;
use wfh_admin::{LogQuery, LogReader};

use super::*;

fn line(number: usize) -> String {
    format!(
        "{{\"timestamp\":\"2026-01-01T00:00:00Z\",\"level\":\"INFO\",\"number\":{number},\
         \"function\":\"f{}\"}}\n",
        number % 2
    )
}

fn append(writer: &mut Writer, numbers: std::ops::Range<usize>) {
    numbers.for_each(|number| writer.add(line(number).as_bytes()));
    writer.write(0);
}

fn read(reader: &mut Reader) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        numbers.extend(record["number"].as_u64());
    }
    numbers
}

fn all(directory: &Path) -> Vec<u64> {
    read(&mut Reader::open(directory, &LogQuery::default()))
}

fn bytes(directory: &Path) -> u64 {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn it_never_outgrows_its_bound_and_keeps_the_newest() {
    let directory = TempDir::new().unwrap();
    let (bound, size) = (10 * line(10).len() as u64, line(10).len() as u64);
    let mut writer = Writer::open(directory.path(), bound).unwrap();
    for number in 10..99 {
        append(&mut writer, number..number + 1);
        assert!(bytes(directory.path()) <= bound, "the ring outgrew its bound");
    }
    let kept = all(directory.path());
    assert_eq!(kept.last(), Some(&98));
    assert!(kept.len() as u64 > bound / size / 2 && kept.is_sorted(), "{kept:?}");
}

#[test]
fn a_follower_misses_nothing_over_a_rotation_and_knows_what_it_missed() {
    let directory = TempDir::new().unwrap();
    let mut reader = Reader::open(directory.path(), &LogQuery::default());
    assert!(read(&mut reader).is_empty(), "no ring yet is no error");
    let mut writer = Writer::open(directory.path(), 8 * line(10).len() as u64).unwrap();
    let mut seen = Vec::new();
    for number in 10..60 {
        append(&mut writer, number..number + 1);
        if number % 3 == 0 {
            seen.extend(read(&mut reader));
        }
    }
    seen.extend(read(&mut reader));
    assert_eq!(seen, (10..60).collect::<Vec<_>>());
    assert!(!reader.take_skipped());
    append(&mut writer, 60..90);
    let late = read(&mut reader);
    assert!(reader.take_skipped(), "nobody was told that records are missing: {late:?}");
    assert_eq!(late.last(), Some(&89));
}

#[test]
fn a_line_cut_off_by_a_crash_spoils_no_other() {
    let directory = TempDir::new().unwrap();
    append(&mut Writer::open(directory.path(), 1 << 20).unwrap(), 10..12);
    let file = path(directory.path(), 1);
    let mut content = fs::read(&file).unwrap();
    content.extend_from_slice(b"{\"number\":12,\"mess");
    fs::write(&file, content).unwrap();
    let mut reader = Reader::open(directory.path(), &LogQuery::default());
    assert_eq!(read(&mut reader), [10, 11]);
    append(&mut Writer::open(directory.path(), 1 << 20).unwrap(), 13..15);
    assert_eq!(read(&mut reader), [13, 14], "a follower goes on after the crash");
    assert_eq!(all(directory.path()), [10, 11, 13, 14]);
}

#[test]
fn a_query_picks_and_a_position_goes_on_behind_it() {
    let directory = TempDir::new().unwrap();
    append(&mut Writer::open(directory.path(), 1 << 20).unwrap(), 10..20);
    let query = LogQuery { function: Some("f1".parse().unwrap()), ..LogQuery::default() };
    let mut reader = Reader::open(directory.path(), &query);
    let first = reader.next_record().unwrap().unwrap();
    assert_eq!(first["number"], 11);
    let query = LogQuery { after: reader.position(), ..query };
    assert_eq!(read(&mut Reader::open(directory.path(), &query)), [13, 15, 17, 19]);
    let since = Some(std::time::Duration::from_secs(60));
    let recent = LogQuery { since, ..LogQuery::default() };
    assert!(read(&mut Reader::open(directory.path(), &recent)).is_empty());
    let lost = Some("ffff-7".parse().unwrap());
    let gone = LogQuery { after: lost, ..LogQuery::default() };
    assert_eq!(read(&mut Reader::open(directory.path(), &gone)).len(), 10);
}

#[test]
fn only_this_user_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let parent = TempDir::new().unwrap();
    let directory = directory(parent.path());
    append(&mut Writer::open(&directory, 1 << 20).unwrap(), 10..11);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!((mode(&directory), mode(&path(&directory, 1))), (0, 0));
}
