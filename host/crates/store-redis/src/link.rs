//! A connection that comes back when it was lost.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo, RedisError, ServerErrorKind, Value,
};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::Instant;
use wfh_store::StoreError;

use crate::call::Call;
use crate::error::unavailable;
use crate::{OpenError, inspect};

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long an answer may take; what is lost after that may have been applied.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long replicas may take.
const REPLICAS_TIMEOUT_MS: u64 = 2_000;

/// A cluster's node that has not the slot, then one that has not the script, and once to spare.
const TRIES_MAX: usize = 4;

/// The first wait before a connection is tried again, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Which server, and what is asked of it.
pub(crate) struct Target {
    pub(crate) info: ConnectionInfo,
    relaxed: bool,
    runtime: Handle,
}

impl Target {
    /// Reads a url.
    pub(crate) fn new(url: &str, relaxed: bool) -> Result<Self, OpenError> {
        let info = url.into_connection_info();
        // Only the kind: the detail may repeat the url, and with it a password.
        let info = info.map_err(|error| OpenError::Url { reason: error.category().to_owned() })?;
        Ok(Self { info, relaxed, runtime: Handle::current() })
    }

    /// Connects, and looks at the server: it may be another one than before.
    async fn connect(
        self: Arc<Self>,
        address: ConnectionAddr,
    ) -> Result<MultiplexedConnection, OpenError> {
        let server = address.to_string();
        let told = |error: RedisError| OpenError::Server {
            server: server.clone(),
            reason: error.to_string(),
        };
        let client = Client::open(self.info.clone().set_addr(address)).map_err(told)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(ANSWER_TIMEOUT));
        let connection = client.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = connection.map_err(told)?;
        let info: String = redis::cmd("INFO").query_async(&mut connection).await.map_err(told)?;
        inspect::check(&server, &info, self.relaxed)?;
        Ok(connection)
    }
}

/// The connection.
pub(crate) struct Link {
    target: Arc<Target>,
    state: Mutex<State>,
    /// How many writes there were that replicas must have.
    written: AtomicU64,
    confirmed: Mutex<Confirmed>,
}

/// What came of the last wait for replicas: one serves all writes before it.
struct Confirmed {
    written: u64,
    generation: u64,
    told: Result<(), StoreError>,
}

struct State {
    address: ConnectionAddr,
    current: Option<MultiplexedConnection>,
    /// Grows with each connection, so that a late error does not end its successor.
    generation: u64,
    failures: u32,
    retry_at: Instant,
    /// Why there is none.
    reason: String,
}

impl Link {
    /// Connects.
    pub(crate) async fn open(target: Arc<Target>) -> Result<Self, OpenError> {
        let address = target.info.addr().clone();
        let current = Some(Arc::clone(&target).connect(address.clone()).await?);
        let retry_at = Instant::now();
        let reason = String::new();
        let state = State { address, current, generation: 0, failures: 0, retry_at, reason };
        let confirmed = Mutex::new(Confirmed { written: 0, generation: 0, told: Ok(()) });
        Ok(Self { target, state: Mutex::new(state), written: AtomicU64::new(0), confirmed })
    }

    /// Runs a script; with `replicas` it counts only when so many of them have it.
    pub(crate) async fn run(&self, call: &Call, replicas: u32) -> Result<Value, StoreError> {
        let (answer, generation) = self.ask(call).await?;
        if replicas > 0 {
            self.confirm(generation, replicas).await?;
        }
        Ok(answer)
    }

    /// Asks again where the server did nothing; otherwise an error is told.
    async fn ask(&self, call: &Call) -> Result<(Value, u64), StoreError> {
        let (mut connection, mut generation) = self.connection().await?;
        for _ in 0..TRIES_MAX {
            let error = match call.command.query_async(&mut connection).await {
                Ok(answer) => return Ok((answer, generation)),
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::Server(ServerErrorKind::NoScript) => {
                    let script = call.script.prepare_invoke();
                    script
                        .load_async(&mut connection)
                        .await
                        .map_err(|error| unavailable(&error))?;
                }
                ErrorKind::Server(ServerErrorKind::Moved) => {
                    self.redirect(generation, &error).await;
                    (connection, generation) = self.connection().await?;
                }
                _ => return Err(self.failed(generation, &error).await),
            }
        }
        Err(StoreError::Unavailable("Redis forgets its scripts, or moves its slots".to_owned()))
    }

    /// Waits until replicas have what was written on the connection of this generation.
    async fn confirm(&self, generation: u64, replicas: u32) -> Result<(), StoreError> {
        let number = self.written.fetch_add(1, Ordering::SeqCst) + 1;
        let mut confirmed = self.confirmed.lock().await;
        if number > confirmed.written || generation != confirmed.generation {
            let written = self.written.load(Ordering::SeqCst);
            let told = self.wait(generation, replicas).await;
            *confirmed = Confirmed { written, generation, told };
        }
        confirmed.told.clone()
    }

    async fn wait(&self, generation: u64, replicas: u32) -> Result<(), StoreError> {
        let (mut connection, current) = self.connection().await?;
        if current != generation {
            // `WAIT` counts for what was written on the same connection only.
            let told = "the connection to Redis was lost before replicas had the write";
            return Err(StoreError::Unavailable(told.to_owned()));
        }
        let mut wait = Cmd::new();
        wait.arg("WAIT").arg(replicas).arg(REPLICAS_TIMEOUT_MS);
        let have: u32 = match wait.query_async(&mut connection).await {
            Ok(have) => have,
            Err(error) => return Err(self.failed(generation, &error).await),
        };
        if have >= replicas {
            return Ok(());
        }
        let told = format!("{have} of {replicas} replicas have the write; it may be applied");
        Err(StoreError::Unavailable(told))
    }

    /// Ends a connection that is of no more use.
    async fn failed(&self, generation: u64, error: &RedisError) -> StoreError {
        let demoted = error.code() == Some("READONLY");
        if demoted || error.is_io_error() || error.is_unrecoverable_error() {
            let mut state = self.state.lock().await;
            if state.generation == generation {
                state.current = None;
                state.address = self.target.info.addr().clone();
            }
        }
        unavailable(error)
    }

    /// Another node of the cluster has the slot: connect to that one.
    async fn redirect(&self, generation: u64, error: &RedisError) {
        let mut state = self.state.lock().await;
        let node = error.redirect_node().and_then(|(address, _slot)| address.rsplit_once(':'));
        let node = node.and_then(|(host, port)| Some((host, port.parse().ok()?)));
        if let (Some((host, port)), true) = (node, state.generation == generation) {
            state.address = at(self.target.info.addr(), host, port);
            state.current = None;
        }
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, u64), StoreError> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.current {
            return Ok((connection.clone(), state.generation));
        }
        if Instant::now() < state.retry_at {
            return Err(StoreError::Unavailable(state.reason.clone()));
        }
        // On a runtime of its own choice: the caller's may end before the store does. What is asked
        // there goes on when the caller goes away, and serves the next one.
        let connecting = Arc::clone(&self.target).connect(state.address.clone());
        let made = self.target.runtime.spawn(connecting).await;
        match made {
            Ok(Ok(connection)) => {
                state.failures = 0;
                state.generation += 1;
                state.current = Some(connection.clone());
                Ok((connection, state.generation))
            }
            Ok(Err(error)) => Err(state.failed_to_connect(error.to_string(), &self.target)),
            Err(_) => Err(StoreError::Unavailable("the host is stopping".to_owned())),
        }
    }
}

impl State {
    fn failed_to_connect(&mut self, reason: String, target: &Target) -> StoreError {
        tracing::warn!(%reason, "the store cannot connect");
        self.retry_at = Instant::now() + backoff(self.failures);
        self.failures = self.failures.saturating_add(1);
        self.address = target.info.addr().clone();
        self.reason.clone_from(&reason);
        StoreError::Unavailable(reason)
    }
}

fn at(before: &ConnectionAddr, host: &str, port: u16) -> ConnectionAddr {
    let host = host.to_owned();
    match before {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            let (insecure, tls_params) = (*insecure, tls_params.clone());
            ConnectionAddr::TcpTls { host, port, insecure, tls_params }
        }
        _ => ConnectionAddr::Tcp(host, port),
    }
}

/// Between half of it and all: many hosts must not come back at once.
pub(crate) fn backoff(failures: u32) -> Duration {
    let (first, longest) = BACKOFF;
    let whole = first.saturating_mul(1 << failures.min(10)).min(longest);
    let share = RandomState::new().hash_one(()) % 1_000;
    whole / 2 + whole.mul_f64(share as f64 / 2_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_bound_and_is_spread() {
        for failures in 0..40 {
            let waited = backoff(failures);
            assert!(waited >= BACKOFF.0 / 2 && waited <= BACKOFF.1, "{waited:?} at {failures}");
        }
        assert!(backoff(0) <= BACKOFF.0 && backoff(20) >= BACKOFF.1 / 2);
        let several: std::collections::BTreeSet<_> = (0..20).map(|_| backoff(9)).collect();
        assert!(several.len() > 1, "all hosts would come back at once");
    }

    #[tokio::test]
    async fn a_bad_url_is_told_without_its_password() {
        for url in ["http://u:hidden@host", "redis://u:hidden@host:notaport", "nothing"] {
            let Err(error) = Target::new(url, false) else { panic!("{url} is taken") };
            let told = error.to_string();
            assert!(told.contains("redis://HOST:PORT") && !told.contains("hidden"), "{told}");
        }
    }
}
