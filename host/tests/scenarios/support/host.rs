//! A running host, ended when it is dropped.

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use super::client::{Answer, Client};
use super::setup::{Ended, Turn, harvest, wfh, wfh_with};
use super::{Raw, eventually, process};

/// Compiling every guest takes a while on an empty cache.
const START_MAX: Duration = Duration::from_secs(120);

/// A host that serves.
pub(crate) struct Host {
    child: Child,
    address: SocketAddr,
    admin: SocketAddr,
    scheme: String,
    stderr: Arc<Mutex<Vec<u8>>>,
    directory: TempDir,
    turn: Arc<Turn>,
    harvest: bool,
}

impl Host {
    pub(super) async fn started(
        mut child: Child,
        directory: TempDir,
        turn: Arc<Turn>,
        harvest: bool,
    ) -> Self {
        let stderr = Arc::new(Mutex::new(Vec::new()));
        collect(child.stderr.take().unwrap(), Arc::clone(&stderr));
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let scheme = String::new();
        let mut host = Self {
            child,
            address: unknown,
            admin: unknown,
            scheme,
            stderr,
            directory,
            turn,
            harvest,
        };
        host.wait_for_its_addresses().await;
        host
    }

    async fn wait_for_its_addresses(&mut self) {
        let began = std::time::Instant::now();
        loop {
            let said = self.stderr();
            let mut lines = said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            if let (Some(first), Some(second)) = (lines.next(), lines.next()) {
                let url = first.strip_prefix("Serving HTTP on ").expect("the first line of stderr");
                let (scheme, rest) = url.split_once("://").expect("a URL");
                self.scheme = scheme.to_owned();
                self.address = rest.trim_end_matches('/').parse().expect("an address");
                let admin = second.strip_prefix("Admin on http://").expect("the second line");
                self.admin = admin.parse().expect("an address");
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the host ended with {status} instead of serving:\n{}", self.stderr());
            }
            assert!(began.elapsed() < START_MAX, "the host does not begin to serve:\n{said}");
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    pub(super) fn turn(&self) -> Arc<Turn> {
        Arc::clone(&self.turn)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// What the admin API answers.
    pub(crate) async fn admin_json(&self, path: &str) -> serde_json::Value {
        Client::connect(self.admin()).await.unwrap().get(path).await.json()
    }

    /// The dead letters of a first page.
    pub(crate) async fn dead_letters(&self) -> Vec<serde_json::Value> {
        self.admin_json("/v1/dead-letters").await["items"].as_array().unwrap().clone()
    }

    /// Entries of a queue of the manifest.
    pub(crate) async fn queue_entries(&self, queue: &str) -> u64 {
        let (queues, name) = (self.admin_json("/v1/queues").await, format!("queue:{queue}"));
        let found = queues["items"].as_array().unwrap().iter().find(|one| one["name"] == name);
        found.map_or(0, |one| one["entries"].as_u64().unwrap())
    }

    pub(crate) fn scheme(&self) -> &str {
        &self.scheme
    }

    /// A path beside the manifest.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Everything the host wrote to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().unwrap()).into_owned()
    }

    /// Waits for a text on standard error.
    pub(crate) async fn says(&self, text: &str) {
        let invariant = format!("the host logs {text:?}");
        eventually(&invariant, async || self.stderr().contains(text)).await;
    }

    /// A connection of its own for one GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.client().await.get(path).await
    }

    /// A connection of its own for one request.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let answer = self.client().await.send(method, path, headers, body).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.stderr()))
    }

    /// A keep-alive connection.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address).await.expect("the host accepts connections")
    }

    /// A connection for bytes.
    pub(crate) async fn raw(&self) -> Raw {
        Raw::connect(self.address).await
    }

    /// GET on the admin port.
    pub(crate) async fn admin_get(&self, path: &str) -> Answer {
        let mut client = Client::connect(self.admin).await.expect("the admin port answers");
        client.get(path).await
    }

    /// A request to the admin port.
    pub(crate) async fn admin_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut client = Client::connect(self.admin).await.expect("the admin port answers");
        let answer = client.send(method, path, headers, body).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.stderr()))
    }

    /// Calls a function through the admin port.
    pub(crate) async fn invoke(
        &self,
        function: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let path = format!("/v1/functions/{function}/invocations");
        self.admin_send("POST", &path, headers, body).await
    }

    /// Runs a verb that talks to this host's admin port.
    pub(crate) async fn verb(&self, args: &[&str]) -> Ended {
        let admin = format!("http://{}", self.admin);
        wfh_with(&[args, &["--admin", &admin]].concat(), &[]).await
    }

    /// Runs `wfh logs` on this host's data.
    pub(crate) async fn logs(&self, args: &[&str]) -> Ended {
        let data = self.path("data").display().to_string();
        wfh(&[&["logs", "--data-dir", &data], args].concat()).await
    }

    /// Kills it with a signal it cannot catch.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn descriptors(&self) -> usize {
        process::descriptors(self.child.id())
    }

    pub(crate) fn resident_bytes(&self) -> u64 {
        process::resident_bytes(self.child.id())
    }

    pub(crate) fn threads(&self) -> u64 {
        process::threads(self.child.id())
    }

    /// Sends a signal such as SIGTERM.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("the host runs");
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub(crate) async fn ends(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the host ends", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

/// A thread, so that a host is never held up by a test that does not read.
fn collect(mut from: impl Read + Send + 'static, into: Arc<Mutex<Vec<u8>>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            into.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
    });
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.harvest {
            harvest(&self.path("data/cache"));
        }
        if std::thread::panicking() {
            let said = self.stderr();
            let tail: Vec<&str> = said.lines().rev().take(30).collect();
            eprintln!("the host's last lines, the latest first:\n{}", tail.join("\n"));
        }
    }
}
