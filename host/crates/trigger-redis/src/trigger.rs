//! The trigger: what is missing is made, then a session works; of an ordered stream, one session of
//! all replicas at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use wfh_invoke::{Dispatcher, Shutdown, Status};
use wfh_pull::{Marks, Puller, Stop, patiently};
use wfh_store::{Key, Lease, Leased, Store};

use crate::entry::Origin;
use crate::ledger::Ledger;
use crate::link::Link;
use crate::list::List;
use crate::session::Session;
use crate::source::Source;
use crate::stream::{CONSUMER_PREFIX, Stream};
use crate::{RedisConfig, RedisSource};

/// How long a replica is the one that reads an ordered stream without renewing that.
const TURN: Duration = Duration::from_secs(10);
/// How long to wait for the turn.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a first answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The keys of turns begin with it.
const TURNS: &str = "reader/";

/// Takes the entries of a stream or list to their target.
pub struct RedisTrigger {
    config: RedisConfig,
    puller: Arc<Puller>,
    source: Source,
    name: Arc<str>,
    status: Arc<Status>,
    shutdown: Shutdown,
}

impl RedisTrigger {
    /// Joins a source and what `dispatcher` finds for its target. Calls run on `workers` in turn;
    /// `status` says that the host is not ready until the server has answered.
    #[must_use]
    pub fn new(
        config: RedisConfig,
        store: Arc<dyn Store>,
        dispatcher: Dispatcher,
        workers: Vec<tokio::runtime::Handle>,
        status: Arc<Status>,
        shutdown: Shutdown,
    ) -> Self {
        let puller = Arc::new(Puller::new(config.pull.clone(), store, dispatcher, workers));
        let source = source(&config);
        let name = format!("{}/{}/{}", config.pull.name, config.group, config.source.key()).into();
        status.wait_for(&part(&config), "waiting for Redis");
        Self { config, puller, source, name, status, shutdown }
    }

    /// Takes entries until the host drains, and returns when the calls in flight have ended and what
    /// is settled is acknowledged.
    pub async fn run(self) {
        let drain = self.shutdown.drain.clone();
        if drain.run_until_cancelled(self.prepare()).await.is_none() {
            return;
        }
        self.status.is_ready(&part(&self.config));
        match &self.source {
            Source::Stream(stream) if stream.config.ordered => self.in_turns().await,
            Source::Stream(_) | Source::List(_) => {
                let stop = self.stop();
                self.session(stop, false).await;
            }
        }
    }

    /// Makes what is missing on the server, as soon as it answers.
    async fn prepare(&self) {
        let mut link = Link::new(self.config.server.clone(), ANSWER_MAX);
        while let Err(error) = self.source.prepare(&mut link).await {
            let (trigger, server) = (&self.config.pull.name, &self.config.server);
            tracing::warn!(%trigger, ?server, %error, "waits for Redis");
            link.back_off().await;
        }
    }

    fn stop(&self) -> Stop {
        Stop {
            drain: self.shutdown.drain.child_token(),
            cancel: self.shutdown.cancel.child_token(),
        }
    }

    async fn session(&self, stop: Stop, ordered: bool) {
        let load = || Marks::load(Arc::clone(&self.puller.store), Arc::clone(&self.name));
        let loading = stop.drain.run_until_cancelled(patiently(&self.name, load)).await;
        let Some(mut marks) = loading else { return };
        marks.let_all_end().await;
        let session = Session {
            config: self.config.clone(),
            puller: Arc::clone(&self.puller),
            source: self.source.clone(),
            name: Arc::clone(&self.name),
            ledger: Arc::new(Ledger::new(
                self.config.in_flight_max.max(self.config.pull.batch.size),
            )),
            ordered,
            status: Arc::clone(&self.status),
        };
        session.run(marks, stop).await;
    }

    /// Works whenever it is this replica's turn, and until it is not.
    async fn in_turns(&self) {
        let Ok(key) = Key::new(&format!("{TURNS}{}", self.name)) else { return };
        let (drain, store) = (&self.shutdown.drain, &self.puller.store);
        while !drain.is_cancelled() {
            match store.lease(key.clone(), TURN).await {
                Ok(Leased::Acquired(lease)) => {
                    self.turn(&lease).await;
                    // It runs out by itself if it cannot be given back.
                    let _ = store.give_back(&lease).await;
                }
                Ok(Leased::Held | Leased::Present(_)) => {}
                Err(error) => {
                    tracing::warn!(trigger = %self.config.pull.name, %error, "waits for the store");
                }
            }
            let _ = drain.run_until_cancelled(sleep(PAUSE)).await;
        }
    }

    async fn turn(&self, lease: &Lease) {
        let stop = self.stop();
        let working = self.session(stop.clone(), true);
        let mut working = std::pin::pin!(working);
        tokio::select! {
            () = &mut working => {}
            () = self.lost(lease) => {
                tracing::warn!(trigger = %self.config.pull.name, "another replica reads the stream");
                stop.drain.cancel();
                stop.cancel.cancel();
                working.await;
            }
        }
    }

    /// Renews the turn, and resolves when it is lost, or may be.
    async fn lost(&self, lease: &Lease) {
        let mut renewed = tokio::time::Instant::now();
        loop {
            sleep(TURN / 5).await;
            match self.puller.store.renew(lease, TURN).await {
                Ok(true) => renewed = tokio::time::Instant::now(),
                Ok(false) => return,
                Err(_) if renewed.elapsed() > TURN * 3 / 5 => return,
                Err(_) => {}
            }
        }
    }
}

fn part(config: &RedisConfig) -> String {
    format!("trigger:{}", config.pull.name)
}

fn source(config: &RedisConfig) -> Source {
    let consumer = format!("{CONSUMER_PREFIX}{}", config.consumer);
    let (key, group) = (config.source.key().to_owned(), config.group.clone());
    let (origin, visibility) = (Arc::new(Origin { key, group }), config.visibility);
    match &config.source {
        RedisSource::Stream(stream) => {
            let config = Arc::new(stream.clone());
            Source::Stream(Stream { config, origin, consumer, visibility })
        }
        RedisSource::List(_) => Source::List(List { origin, consumer, visibility }),
    }
}
