//! A Redis server of the test's own: a free port, a directory that goes with it.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wfh_store::{Append, Op, QueueKey};
use wfh_store_redis::{OpenError, RedisOptions, RedisStore};

/// What a store asks of a server.
pub(crate) const DURABLE: &[&str] = &["--appendonly", "yes", "--appendfsync", "always"];

pub(crate) struct Server {
    pub(crate) port: u16,
    directory: TempDir,
    arguments: Vec<String>,
    child: Child,
}

impl Server {
    /// One that keeps what it is given.
    pub(crate) fn start() -> Self {
        Self::with(DURABLE)
    }

    pub(crate) fn with(arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = TempDir::new().unwrap();
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let child = spawn(port, &directory, &arguments);
        let server = Self { port, directory, arguments, child };
        server.wait_until_ready();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn options(&self, app: &str) -> RedisOptions {
        let (url, app) = (self.url(), app.to_owned());
        RedisOptions { url, app, wait_replicas: 0, relaxed: false, clock: None }
    }

    pub(crate) async fn open(&self, app: &str) -> Arc<RedisStore> {
        self.try_open(app).await.unwrap()
    }

    pub(crate) async fn try_open(&self, app: &str) -> Result<Arc<RedisStore>, OpenError> {
        RedisStore::open(self.options(app)).await
    }

    /// Runs a command and gives what came of it as text.
    pub(crate) fn run(&self, command: &[&str]) -> String {
        self.try_run(command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    fn try_run(&self, command: &[&str]) -> redis::RedisResult<String> {
        let mut connection = redis::Client::open(self.url())?.get_connection()?;
        let mut all = redis::cmd(command[0]);
        all.arg(&command[1..]);
        let answer: redis::Value = all.query(&mut connection)?;
        Ok(match answer {
            redis::Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            redis::Value::Int(number) => number.to_string(),
            other => format!("{other:?}"),
        })
    }

    /// As a power cut would end it, but for what the system's cache holds.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.port, &self.directory, &self.arguments);
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.try_run(&["PING"]).is_err() {
            if Instant::now() > until {
                let log = std::fs::read_to_string(self.directory.path().join("log"));
                panic!("redis-server does not answer: {}", log.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, directory: &TempDir, arguments: &[String]) -> Child {
    let log = File::create(directory.path().join("log")).unwrap();
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .arg("--dir")
        .arg(directory.path())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "redis-server cannot be started ({error}); type: apt-get install -y redis-server"
            )
        })
}

pub(crate) fn queue(name: &str) -> QueueKey {
    QueueKey::new(name).unwrap()
}

pub(crate) fn append(queue: &QueueKey, id: &str) -> Op {
    Op::Append(Append::new(queue.clone(), id, id.to_owned()))
}

/// Tries until it is so, for as long as a test waits.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "it did not come: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
