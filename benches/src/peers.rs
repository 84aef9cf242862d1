//! wfh and its peers, each with the same component.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Server, free_port};

/// `wasmtime serve`'s best flags for a pool.
const BEST_POOL: &str = "pooling-allocator=y,pooling-memory-keep-resident=2097152,\
    pooling-table-keep-resident=65536,pooling-pagemap-scan=y";

/// Where the programs and guests are.
pub(crate) struct Programs {
    wfh: PathBuf,
    wasmtime: PathBuf,
    guests: PathBuf,
    directory: TempDir,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    WfhFresh,
    WfhReuse,
    WfhWorkStealing,
    WasmtimeDefault,
    WasmtimePool,
    WasmtimeReuse,
    Bare,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WfhFresh => "wfh, fresh sandbox a request",
            Self::WfhReuse => "wfh, reuse = 128",
            Self::WfhWorkStealing => "wfh, fresh, scheduler = \"work-stealing\"",
            Self::WasmtimeDefault => "wasmtime serve, default",
            Self::WasmtimePool => "wasmtime serve, best pool",
            Self::WasmtimeReuse => "wasmtime serve, best pool, reuse 128",
            Self::Bare => "bare hyper, no sandbox",
        }
    }
}

impl Programs {
    pub(crate) fn new(wfh: &str, wasmtime: &str, guests: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { wfh: wfh.into(), wasmtime: wasmtime.into(), guests: guests.into(), directory }
    }

    pub(crate) fn guest(&self, name: &str) -> PathBuf {
        let path = self.guests.join(name).with_extension("wasm");
        std::fs::canonicalize(&path).unwrap_or_else(|error| panic_with(&path, &error))
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts a peer with one guest.
    pub(crate) fn start(&self, peer: Peer, guest: &str) -> Server {
        let wasm = self.guest(guest);
        match peer {
            Peer::WfhFresh => self.wfh_apart(&manifest(&[(guest, &wasm, "")], "")),
            Peer::WfhReuse => self.wfh_apart(&manifest(&[(guest, &wasm, "reuse = 128")], "")),
            Peer::WfhWorkStealing => {
                let engine = "[engine]\nscheduler = \"work-stealing\"\n";
                self.wfh_apart(&manifest(&[(guest, &wasm, "")], engine))
            }
            Peer::WasmtimeDefault => self.wasmtime(&[], &wasm),
            Peer::WasmtimePool => self.wasmtime(&["-O", BEST_POOL], &wasm),
            Peer::WasmtimeReuse => {
                self.wasmtime(&["-O", BEST_POOL, "--max-instance-reuse-count=128"], &wasm)
            }
            Peer::Bare => {
                let port = free_port();
                let mut command = Command::new(std::env::current_exe().expect("this program"));
                command.args(["bare", &port.to_string()]);
                Server::start(command, port)
            }
        }
    }

    /// Starts wfh with a manifest.
    pub(crate) fn wfh(&self, manifest: &str) -> Server {
        self.wfh_with_admin(manifest, 0)
    }

    /// The same, with its admin port on one that is known.
    pub(crate) fn wfh_with_admin(&self, manifest: &str, admin: u16) -> Server {
        self.wfh_in("data", manifest, admin)
    }

    /// The same, beside others: each has a data directory of its own.
    pub(crate) fn wfh_apart(&self, manifest: &str) -> Server {
        self.wfh_in(&format!("data-{}", free_port()), manifest, 0)
    }

    /// The same, in a data directory of this name.
    pub(crate) fn wfh_in(&self, data: &str, manifest: &str, admin: u16) -> Server {
        let port = free_port();
        let path = self.directory().join(format!("{port}.toml"));
        std::fs::write(&path, manifest).expect("a manifest");
        let mut command = Command::new(&self.wfh);
        command
            .arg("serve")
            .arg(&path)
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--admin", &format!("127.0.0.1:{admin}")])
            .arg("--data-dir")
            .arg(self.directory().join(data));
        Server::start(command, port)
    }

    fn wasmtime(&self, flags: &[&str], wasm: &Path) -> Server {
        let port = free_port();
        let mut command = Command::new(&self.wasmtime);
        command
            .arg("serve")
            .args(flags)
            .args(["-S", "cli", "--addr", &format!("127.0.0.1:{port}")])
            .arg(wasm);
        Server::start(command, port)
    }
}

fn panic_with(path: &Path, error: &std::io::Error) -> PathBuf {
    eprintln!("{}: {error}; build the guests with `make guests`", path.display());
    std::process::exit(1);
}

/// A manifest of functions, each on `/NAME`, the first on `/` too.
pub(crate) fn manifest(functions: &[(&str, &Path, &str)], rest: &str) -> String {
    let mut text = format!("[app]\nname = \"bench\"\n{rest}\n");
    for (index, (name, wasm, keys)) in functions.iter().enumerate() {
        let name = name.replace('_', "-");
        let route = if index == 0 { "/{*rest}".to_owned() } else { format!("/{name}") };
        text += &format!(
            "[function.{name}]\ncomponent = {:?}\nconcurrency = 1000\nqueue_timeout = \"30s\"\n\
             {keys}\n[[trigger.http]]\nroute = \"{route}\"\ntarget = \"function:{name}\"\n",
            wasm.display().to_string(),
        );
    }
    text
}
