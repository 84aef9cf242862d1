//! A manifest, its files, and the host started on it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{Host, guest};

/// Tests that measure time hold it alone, all others share it.
static MACHINE: RwLock<()> = RwLock::const_new(());

/// Compiling or preparing what is then refused takes a while too.
const END_MAX: Duration = Duration::from_secs(100);

/// The place of a test on the machine.
#[expect(dead_code, reason = "held, never read")]
pub(crate) enum Turn {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// What a host is started with.
pub(crate) struct Setup {
    directory: TempDir,
    manifest: String,
    serves: PathBuf,
    args: Vec<String>,
    env: HashMap<String, String>,
    alone: bool,
    cold: bool,
    address_space_kib: Option<u64>,
    data: PathBuf,
    turn: Option<Arc<Turn>>,
}

/// A command that ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Setup {
    /// An app without functions.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            serves: directory.path().join("wfh.toml"),
            data: directory.path().join("data"),
            directory,
            manifest: "[app]\nname = \"scenario\"\n".to_owned(),
            args: Vec::new(),
            env: HashMap::new(),
            alone: false,
            cold: false,
            address_space_kib: None,
            turn: None,
        }
    }

    /// A function made of a guest, served on `/NAME`.
    pub(crate) fn function(self, name: &str, guest_name: &str, settings: &str) -> Self {
        let route = format!("route = \"/{name}\"\ntarget = \"function:{name}\"");
        self.unrouted(name, guest_name, settings).toml(&format!("[[trigger.http]]\n{route}"))
    }

    /// A function that no route leads to.
    pub(crate) fn unrouted(self, name: &str, guest_name: &str, settings: &str) -> Self {
        let component = guest(guest_name);
        let component = component.display();
        self.toml(&format!("[function.{name}]\ncomponent = \"{component}\"\n{settings}"))
    }

    /// A route to a function.
    pub(crate) fn route(self, route: &str, function: &str, rest: &str) -> Self {
        let target = format!("target = \"function:{function}\"");
        self.toml(&format!("[[trigger.http]]\nroute = \"{route}\"\n{target}\n{rest}"))
    }

    /// Bounds the host's address space, as `ulimit -v` does.
    pub(crate) fn address_space_kib(mut self, kib: u64) -> Self {
        self.address_space_kib = Some(kib);
        self
    }

    /// More of the manifest.
    pub(crate) fn toml(mut self, text: &str) -> Self {
        let _ = writeln!(self.manifest, "{text}");
        self
    }

    /// The whole manifest.
    pub(crate) fn manifest(mut self, text: &str) -> Self {
        text.clone_into(&mut self.manifest);
        self
    }

    /// Serves a component without a manifest.
    pub(crate) fn bare(mut self, component: &Path) -> Self {
        component.clone_into(&mut self.serves);
        self
    }

    /// Serves the manifest of a folder that a command made.
    pub(crate) fn serves_folder(mut self, folder: &str) -> Self {
        self.serves = self.path(folder).join("wfh.toml");
        self.manifest = fs::read_to_string(&self.serves).unwrap();
        self.data = self.path(folder).join(".wfh");
        self
    }

    /// A file beside the manifest.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// A path beside the manifest.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// An argument of the command line.
    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// A variable of the host's environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// No other test runs meanwhile.
    pub(crate) fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Keeps its data there, and only there: no compiled component comes from elsewhere.
    pub(crate) fn data_dir(mut self, directory: &Path) -> Self {
        directory.clone_into(&mut self.data);
        self.cold = true;
        self
    }

    /// Runs in the turn of a host that was started before.
    pub(crate) fn beside(mut self, host: &Host) -> Self {
        self.turn = Some(host.turn());
        self
    }

    /// Starts the host and waits until it serves.
    pub(crate) async fn serve(mut self) -> Host {
        let turn = self.take_turn().await;
        if !self.cold {
            seed(&self.data.join("cache"));
        }
        let child = self.command("serve").spawn().expect("wfh cannot be started");
        Host::started(child, self.directory, turn, !self.cold).await
    }

    /// Runs `wfh serve` to its end: for what it must refuse.
    pub(crate) async fn serve_refused(self) -> Ended {
        self.run("serve").await
    }

    /// Runs `wfh check`.
    pub(crate) async fn check(self) -> Ended {
        self.run("check").await
    }

    /// Runs `wfh` with these arguments beside the manifest, and keeps everything for the next time.
    pub(crate) async fn run_here(&self, args: &[&str]) -> Ended {
        let _turn = MACHINE.read().await;
        fs::write(self.path("wfh.toml"), &self.manifest).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_wfh"));
        command.args(args).current_dir(self.directory.path()).envs(&self.env);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        ended(command).await
    }

    async fn run(mut self, verb: &str) -> Ended {
        let _turn = self.take_turn().await;
        ended(self.command(verb)).await
    }

    async fn take_turn(&mut self) -> Arc<Turn> {
        match (self.turn.take(), self.alone) {
            (Some(turn), _) => turn,
            (None, true) => Arc::new(Turn::Alone(MACHINE.write().await)),
            (None, false) => Arc::new(Turn::Shared(MACHINE.read().await)),
        }
    }

    fn command(&self, verb: &str) -> Command {
        if self.serves.ends_with("wfh.toml") {
            fs::write(&self.serves, &self.manifest).unwrap();
        }
        let mut command = match self.address_space_kib {
            None => Command::new(env!("CARGO_BIN_EXE_wfh")),
            Some(kib) => {
                let mut shell = Command::new("sh");
                let limited = "ulimit -v \"$1\" && shift && exec \"$@\"";
                shell.args(["-c", limited, "sh", &kib.to_string(), env!("CARGO_BIN_EXE_wfh")]);
                shell
            }
        };
        command.arg(verb).arg(&self.serves).current_dir(self.directory.path());
        if verb == "serve" {
            command.args(["--data-dir", self.data.to_str().unwrap()]);
            for option in ["--listen", "--admin"] {
                if !self.args.iter().any(|arg| arg.starts_with(option)) {
                    command.args([option, "127.0.0.1:0"]);
                }
            }
        }
        command.args(&self.args);
        for name in ["RUST_LOG", "WFH_LOG", "RUST_BACKTRACE"] {
            command.env_remove(name);
        }
        command.envs(&self.env);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Runs `wfh` with arguments only.
pub(crate) async fn wfh(args: &[&str]) -> Ended {
    wfh_with(args, &[]).await
}

/// Runs `wfh` with arguments and variables.
pub(crate) async fn wfh_with(args: &[&str], env: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wfh"));
    for name in ["RUST_LOG", "WFH_LOG", "WFH_ADMIN", "WFH_ADMIN_TOKEN"] {
        command.env_remove(name);
    }
    command.args(args).envs(env.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    ended(command).await
}

async fn ended(mut command: Command) -> Ended {
    let mut child = command.spawn().expect("wfh cannot be started");
    let stdout = collect(child.stdout.take().unwrap());
    let stderr = collect(child.stderr.take().unwrap());
    let began = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if began.elapsed() > END_MAX {
            // That it did not end by itself is reported below.
            let _ = child.kill();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    assert!(began.elapsed() < END_MAX, "wfh did not end by itself: {stderr}");
    Ended { code, stdout, stderr }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).expect("the output is text");
        text
    })
}

/// Compiled components of earlier hosts. Each host gets links of its own, so that none can spoil
/// another's.
fn shared_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenarios-cache")
}

fn seed(cache: &Path) {
    fs::create_dir_all(cache).unwrap();
    link_all(&shared_cache(), cache);
}

/// Keeps what a host compiled for the next one.
pub(crate) fn harvest(cache: &Path) {
    fs::create_dir_all(shared_cache()).unwrap();
    link_all(cache, &shared_cache());
}

fn link_all(from: &Path, to: &Path) {
    let Ok(entries) = fs::read_dir(from) else {
        return;
    };
    for entry in entries.flatten() {
        let temporary = entry.path().extension().is_some_and(|extension| extension == "tmp");
        if !temporary {
            // Another host may have left the same entry; it may also just be replacing this one.
            let _ = fs::hard_link(entry.path(), to.join(entry.file_name()));
        }
    }
}
