//! Events to a stream of Redis, out of the outbox of a stream of ours.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use redis::{RedisError, Script};
use tokio::sync::Mutex;
use wfh_event::{Failure, FailureClass};
use wfh_invoke::{Record, Sending, Sink};
use wfh_store::Op;

use crate::Server;
use crate::entry::fields;
use crate::link::Link;
use crate::list::in_slot_of;

/// How long an event waits that the server does not take now.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an answer may take; what is lost after that may have been added, and is not added again.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long an event is known to have been added.
const GUARD_KEPT: Duration = Duration::from_secs(3_600);

static SEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/send.lua")));

/// A stream as a target.
pub struct RedisSink {
    stream: String,
    link: Mutex<Link>,
}

impl RedisSink {
    /// Sends to `stream`; it connects with the first event.
    #[must_use]
    pub fn new(server: Server, stream: String) -> Self {
        Self { stream, link: Mutex::new(Link::new(server, ANSWER_MAX)) }
    }

    async fn send(&self, link: &mut Link, record: &Record) -> Result<Vec<Op>, Failure> {
        let Some(item) = record.item(1, None) else {
            return Err(Failure::new(FailureClass::Invalid, "it is no event"));
        };
        let sending = Sending::begin(&item, "redis", &self.stream);
        // The entry of the outbox names it, however often it is sent.
        let guard = format!("{}:wfh:sent:{}", in_slot_of(&self.stream), record.invocation);
        let mut arguments = vec![GUARD_KEPT.as_millis().to_string().into_bytes()];
        for (name, value) in fields(item, record.hops()) {
            arguments.extend([name.to_vec(), value.to_vec()]);
        }
        let sent = match link.run(&SEND, &[self.stream.clone(), guard], &arguments).await {
            Ok(_) => Ok(Vec::new()),
            Err(error) => Err(refused(&error)),
        };
        sending.end(&sent);
        sent
    }
}

fn refused(error: &RedisError) -> Failure {
    let detail = error.to_string();
    // The key holds something that is no stream: another try does not mend that.
    if error.code() == Some("WRONGTYPE") || detail.contains("WRONGTYPE") {
        return Failure::new(FailureClass::Rejected, detail);
    }
    Failure::new(FailureClass::Unavailable, detail).with_retry_after(PAUSE)
}

impl Sink for RedisSink {
    fn bring<'a>(
        &'a self,
        events: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Vec<Result<Vec<Op>, Failure>>> {
        Box::pin(async move {
            let mut link = self.link.lock().await;
            let mut brought = Vec::with_capacity(events.len());
            let mut away: Option<Failure> = None;
            for record in events {
                let sent = match &away {
                    // The others would wait for the same server, one after another.
                    Some(failure) => Err(failure.clone()),
                    None => self.send(&mut link, record).await,
                };
                away = sent.as_ref().err().filter(|failure| failure.class.is_pressure()).cloned();
                brought.push(sent);
            }
            brought
        })
    }
}
