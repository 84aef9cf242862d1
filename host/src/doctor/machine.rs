//! Limits of the machine, the data directory, the ports.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::process::{Resource, getrlimit};
use wfh_manifest::Manifest;

use super::Finding;
use crate::manifest_file::ManifestFile;

const DESCRIPTORS_MIN: u64 = 4096;
/// What one sandbox of one engine reserves.
const SLOT_BYTES: u64 = 4 << 30;
/// One for WASI 0.2, one for 0.3.
const ENGINES: u64 = 2;
const INSTANCES: u32 = 1000;

pub(super) fn examine(file: Option<&ManifestFile>, data_dir: Option<&Path>) -> Vec<Finding> {
    let manifest = file.map(|file| &file.manifest);
    let data_dir = match (data_dir, file) {
        (Some(directory), _) => directory.to_owned(),
        (None, Some(file)) => file.data_dir(None),
        (None, None) => Path::new(".wfh").to_owned(),
    };
    let overcommit = std::fs::read_to_string("/proc/sys/vm/overcommit_memory");
    let mut findings = vec![
        descriptors(getrlimit(Resource::Nofile).maximum),
        address_space(getrlimit(Resource::As).current, manifest),
        overcommitment(overcommit.unwrap_or_default().trim()),
        pagemap_scan(wfh_engine::pagemap_scan_is_available()),
        writable(&data_dir),
    ];
    findings.extend(ports(manifest));
    findings
}

/// The host raises the soft limit by itself, so the hard one counts.
fn descriptors(limit: Option<u64>) -> Finding {
    let check = "file descriptors";
    match limit {
        Some(limit) if limit < DESCRIPTORS_MIN => {
            let found = format!("at most {limit}, so fewer connections than http.connections_max");
            Finding::warn(check, found, "ulimit -Hn 65536 (in systemd: LimitNOFILE=65536)")
        }
        Some(limit) => Finding::ok(check, format!("up to {limit}")),
        None => Finding::ok(check, "no limit"),
    }
}

fn address_space(limit: Option<u64>, manifest: Option<&Manifest>) -> Finding {
    let check = "address space";
    let instances = manifest.map_or(INSTANCES, |manifest| manifest.engine.instances_max);
    let needed = u64::from(instances).saturating_mul(SLOT_BYTES).saturating_mul(ENGINES);
    match limit {
        Some(limit) if limit < needed => {
            let found = format!(
                "limited to {} GiB, the pool reserves {}: sandboxes would be about three times slower",
                limit >> 30,
                needed >> 30
            );
            Finding::warn(check, found, "ulimit -v unlimited")
        }
        Some(limit) => Finding::ok(check, format!("{} GiB", limit >> 30)),
        None => Finding::ok(check, "no limit"),
    }
}

fn overcommitment(setting: &str) -> Finding {
    let check = "memory overcommit";
    if setting != "2" {
        return Finding::ok(check, "allowed");
    }
    let found = "forbidden, so the pool's reservation is refused and sandboxes are slower";
    Finding::warn(check, found, "sysctl vm.overcommit_memory=0")
}

fn pagemap_scan(is_available: bool) -> Finding {
    let check = "pagemap scan";
    if is_available {
        return Finding::ok(check, "offered by the kernel");
    }
    let found = "not offered by this kernel, so fresh sandboxes cost about twice as much";
    Finding::warn(check, found, "boot Linux 6.7 or later")
}

/// The directory need not be there yet; then it must be possible to make it.
fn writable(directory: &Path) -> Finding {
    let check = "data directory";
    let shown = directory.display();
    let existing = directory.ancestors().find(|path| path.exists() || path.as_os_str().is_empty());
    let existing = match existing {
        Some(path) if !path.as_os_str().is_empty() => path,
        _ => Path::new("."),
    };
    let allowed = access(existing, Access::WRITE_OK | Access::EXEC_OK);
    match allowed {
        Ok(()) if existing.is_dir() => Finding::ok(check, format!("{shown} can be written")),
        Ok(()) => {
            let found = format!("{} is not a directory", existing.display());
            Finding::fail(check, found, "wfh serve --data-dir DIRECTORY")
        }
        Err(error) => {
            let found = format!("{} cannot be written: {error}", existing.display());
            let mend = format!("chown \"$USER\" {}", existing.display());
            Finding::fail(check, found, &mend)
        }
    }
}

fn ports(manifest: Option<&Manifest>) -> Vec<Finding> {
    let default = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let http = manifest.map_or(default(3000), |manifest| manifest.http.listen);
    let admin = manifest.map_or(default(3001), |manifest| manifest.admin.listen);
    vec![free("HTTP port", http, "--listen"), free("admin port", admin, "--admin")]
}

fn free(check: &str, address: SocketAddr, option: &str) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(check, format!("{address} is free")),
        Err(error) => {
            let mend = format!("wfh serve {option} 127.0.0.1:0, or end who listens: ss -ltnp");
            Finding::fail(check, format!("{address}: {error}"), &mend)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn limits_below_what_is_needed_are_warned_of() {
        assert_eq!(descriptors(Some(1024)).state, State::Warn);
        assert_eq!(descriptors(Some(65_536)).state, State::Ok);
        assert_eq!(descriptors(None).state, State::Ok);
        assert_eq!(address_space(Some(100 << 30), None).state, State::Warn);
        assert_eq!(address_space(Some(9000 << 30), None).state, State::Ok);
        assert_eq!(overcommitment("2").state, State::Warn);
        assert_eq!(overcommitment("0").state, State::Ok);
        assert_eq!(pagemap_scan(false).state, State::Warn);
    }

    #[test]
    fn what_is_not_well_says_what_mends_it() {
        for finding in [descriptors(Some(1)), address_space(Some(1), None), overcommitment("2")] {
            assert!(finding.mend.is_some(), "{finding:?}");
        }
    }

    #[test]
    fn a_data_directory_that_can_be_made_is_well() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(writable(&directory.path().join("a/b")).state, State::Ok);
        std::fs::write(directory.path().join("file"), "").unwrap();
        assert_eq!(writable(&directory.path().join("file/b")).state, State::Fail);
        assert_eq!(writable(Path::new("new")).state, State::Ok);
    }
}
