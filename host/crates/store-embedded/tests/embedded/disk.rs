//! Disks that are full or read-only, and other programs' locks.

use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;
use wfh_store_embedded::EmbeddedStore;

use crate::{commit, is_unavailable, open, whole};

const CHILD: &str = "WFH_TEST_SMALL_FILES";
const NAME: &str = "disk::a_full_disk_loses_nothing_and_the_store_recovers";

/// Commits until the disk is full. Gives how many went through.
async fn fill(store: &EmbeddedStore) -> u64 {
    for number in 0..200_000 {
        let told = store.commit_numbered(number).await;
        if told.is_err() {
            assert!(is_unavailable(&told), "a full disk makes the store unavailable: {told:?}");
            return number;
        }
    }
    panic!("the disk never got full");
}

trait Numbered {
    async fn commit_numbered(&self, number: u64) -> Result<(), wfh_store::StoreError>;
}

impl Numbered for EmbeddedStore {
    async fn commit_numbered(&self, number: u64) -> Result<(), wfh_store::StoreError> {
        use wfh_store::Store;
        self.commit(crate::numbered(number, 20_000)).await.map(drop)
    }
}

async fn fills_and_recovers(directory: &Path, make_room: impl FnOnce()) {
    let store = open(directory);
    let written = fill(&store).await;
    assert!(written > 10, "there was room for something: {written}");
    let all: Vec<u64> = (0..written).collect();
    assert_eq!(whole(&store).await, all, "reads go on, and nothing is lost or there in part");
    let told = store.commit_numbered(written).await;
    assert!(is_unavailable(&told), "it is still full: {told:?}");
    make_room();
    commit(&store, written).await.expect("the store recovers when there is room again");
    drop(store);
    assert_eq!(whole(&open(directory)).await.len() as u64, written + 1, "all is there");
}

/// On a small disk where this user may make one; otherwise with a limit on the size of files.
#[tokio::test]
async fn a_full_disk_loses_nothing_and_the_store_recovers() {
    if let Some(directory) = std::env::var_os(CHILD) {
        let no_limit = getrlimit(Resource::Fsize).maximum;
        let make_room = || {
            setrlimit(Resource::Fsize, Rlimit { current: no_limit, maximum: no_limit }).unwrap();
        };
        return fills_and_recovers(Path::new(&directory), make_room).await;
    }
    if let Some(disk) = SmallDisk::mount() {
        let ballast = disk.0.path().join("ballast");
        std::fs::write(&ballast, vec![0; 4 << 20]).unwrap();
        let make_room = || std::fs::remove_file(&ballast).unwrap();
        fills_and_recovers(&disk.0.path().join("data"), make_room).await;
    }
    let directory = TempDir::new().unwrap();
    // The signal would end the process where a full disk gives an error.
    let script = "trap '' XFSZ; ulimit -S -f 16384; exec \"$0\" \"$@\"";
    let status = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args([NAME, "--exact"])
        .env(CHILD, directory.path().join("data"))
        .stdout(Stdio::inherit())
        .status();
    assert!(status.unwrap().success(), "with a limit on the size of files");
}

#[tokio::test]
async fn a_lock_of_another_program_is_told_and_passes() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path());
    commit(&store, 0).await.unwrap();
    let other = Connection::open(directory.path().join("store.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let told = commit(&store, 1).await;
    assert!(is_unavailable(&told), "a locked file makes the store unavailable: {told:?}");
    let text = told.unwrap_err().to_string();
    assert!(text.contains("lock"), "the error says why: {text}");
    assert_eq!(whole(&store).await, [0], "reads go on");
    other.execute_batch("ROLLBACK").unwrap();
    commit(&store, 1).await.expect("the store goes on when the lock is gone");
}

#[test]
fn a_read_only_directory_is_told() {
    let Some(disk) = SmallDisk::mount() else {
        // Without a disk of one's own only the permissions are left, which root does not feel.
        use std::os::unix::fs::PermissionsExt;
        let directory = TempDir::new().unwrap();
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o555)).unwrap();
        let error = crate::try_open(&directory.path().join("data")).unwrap_err().to_string();
        assert!(error.contains("data"), "{error}");
        return;
    };
    let data = disk.0.path().join("data");
    drop(open(&data));
    assert!(mount(&["-o", "remount,ro"], disk.0.path()), "remount");
    let error = crate::try_open(&data).unwrap_err().to_string();
    assert!(error.contains(&data.display().to_string()), "the error names the place: {error}");
}

/// Eight MiB of its own, while it lives.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let mounted = mount(&["-t", "tmpfs", "-o", "size=8m", "tmpfs"], directory.path());
        mounted.then(|| Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn mount(arguments: &[&str], directory: &Path) -> bool {
    let mut mount = Command::new("mount");
    let mount = mount.args(arguments).arg(directory).stderr(Stdio::null());
    mount.status().is_ok_and(|status| status.success())
}
