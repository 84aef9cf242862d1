//! A connection that comes back when it was lost.

use std::time::Duration;

use redis::{Cmd, RedisError, RedisResult, Script, Value};
use wfh_telemetry::random_u64;

use crate::Server;
use crate::server::Connection;

/// The first wait before a connection is tried again, and the longest.
const BACKOFF_MS: (u64, u64) = (50, 2_000);

/// One user's connection to a server.
pub(crate) struct Link {
    server: Server,
    answer_max: Duration,
    connection: Option<Connection>,
    failures: u32,
}

impl Link {
    /// A link that connects when it is first used.
    pub(crate) fn new(server: Server, answer_max: Duration) -> Self {
        Self { server, answer_max, connection: None, failures: 0 }
    }

    /// Asks once.
    pub(crate) async fn ask(&mut self, command: &Cmd) -> RedisResult<Value> {
        let mut connection = self.connected().await?;
        let answer = command.query_async(&mut connection).await;
        self.note(answer)
    }

    /// Runs a script; it is sent to a server that does not have it.
    pub(crate) async fn run(
        &mut self,
        script: &Script,
        keys: &[String],
        arguments: &[Vec<u8>],
    ) -> RedisResult<Value> {
        let mut connection = self.connected().await?;
        let mut invocation = script.prepare_invoke();
        for key in keys {
            invocation.key(key);
        }
        for argument in arguments {
            invocation.arg(argument);
        }
        let answer = invocation.invoke_async(&mut connection).await;
        self.note(answer)
    }

    /// Waits before another try, longer after each failure in a row, with jitter.
    pub(crate) async fn back_off(&self) {
        let (first, longest) = BACKOFF_MS;
        let wait = first.saturating_mul(1 << self.failures.min(10)).min(longest);
        let jittered = wait / 2 + random_u64() % (wait / 2 + 1);
        tokio::time::sleep(Duration::from_millis(jittered)).await;
    }

    async fn connected(&mut self) -> RedisResult<Connection> {
        if let Some(connection) = &self.connection {
            return Ok(connection.clone());
        }
        match self.server.connect(self.answer_max).await {
            Ok(connection) => Ok(self.connection.insert(connection).clone()),
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                Err(error)
            }
        }
    }

    fn note<T>(&mut self, answer: Result<T, RedisError>) -> RedisResult<T> {
        match &answer {
            Ok(_) => self.failures = 0,
            // What a server refuses it refuses over a connection that works.
            Err(error) if is_refusal(error) => self.failures = self.failures.saturating_add(1),
            Err(_) => {
                self.failures = self.failures.saturating_add(1);
                self.connection = None;
            }
        }
        answer
    }
}

fn is_refusal(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        redis::ErrorKind::Server(redis::ServerErrorKind::ResponseError)
            | redis::ErrorKind::Extension
    )
}
