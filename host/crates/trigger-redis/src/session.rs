//! One consumer at work: it reads, keeps what runs, and acknowledges what is settled.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use redis::RedisError;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use wfh_invoke::{SourcePart, Status};
use wfh_pull::{Marks, Puller, Record, Settle as _, Settled, Shard, Stop};

use crate::RedisConfig;
use crate::entry::Entry;
use crate::ledger::Ledger;
use crate::link::Link;
use crate::source::{Read, Source};

/// How long one read waits for entries; a drain waits as long.
const READ_WAIT: Duration = Duration::from_secs(1);
/// How long an answer may take beyond that.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Entries that one read gives at most.
const READ_MAX: usize = 1_000;
/// Entries that are acknowledged at once.
const ACKNOWLEDGED_MAX: usize = 1_000;
/// How often what is left over is tidied up.
const TIDY_INTERVAL: Duration = Duration::from_secs(60);
/// How often the lag is measured.
const LAG_INTERVAL: Duration = Duration::from_secs(5);
/// How long the last acknowledgements may take when a consumer ends.
const END_MAX: Duration = Duration::from_secs(5);

type Sender = mpsc::Sender<Vec<Record<Entry>>>;

/// What the parts of a session share.
pub(crate) struct Session {
    pub(crate) config: RedisConfig,
    pub(crate) puller: Arc<Puller>,
    pub(crate) source: Source,
    /// The trigger and what it reads: the name under which marks are kept.
    pub(crate) name: Arc<str>,
    pub(crate) ledger: Arc<Ledger>,
    /// Whether entries are handled one after another: then nobody else reads the stream.
    pub(crate) ordered: bool,
    /// Where the lag is noted.
    pub(crate) status: Arc<Status>,
}

impl Session {
    /// Works until `stop` says so. What is not settled then is given to others.
    pub(crate) async fn run(&self, marks: Marks, stop: Stop) {
        let (sender, receiver) = mpsc::channel(2);
        let (puller, settle) = (Arc::clone(&self.puller), Arc::clone(&self.ledger));
        let shard = Shard::new(puller, Arc::clone(&self.name), marks, 0, settle);
        let reading = self.read(sender.clone(), &stop);
        let working = async { tokio::join!(shard.run(receiver, stop.clone()), reading) };
        tokio::select! {
            _ = working => {}
            never = self.keep(sender, &stop) => match never {},
            never = self.acknowledge() => match never {},
        }
        let _ = timeout(END_MAX, self.end()).await;
    }

    fn link(&self) -> Link {
        Link::new(self.config.server.clone(), READ_WAIT + ANSWER_MAX)
    }

    /// What is left from before comes first, then what is new.
    async fn read(&self, sender: Sender, stop: &Stop) {
        let mut link = self.link();
        let mut left = true;
        while !stop.drain.is_cancelled() {
            let read = match left {
                true => self.source.left(&mut link, self.ordered, &self.ledger).await,
                false => {
                    let Some(room) = stop.drain.run_until_cancelled(self.ledger.room()).await
                    else {
                        return;
                    };
                    self.source.read(&mut link, room.min(READ_MAX), READ_WAIT).await
                }
            };
            match read {
                Ok(read) => {
                    left = false;
                    self.hand_over(read, &sender).await;
                }
                Err(error) => {
                    // The answer may be lost, and not what it gave.
                    left = true;
                    self.trouble("cannot be read", &error);
                    self.mend(&mut link, &error).await;
                    let _ = stop.drain.run_until_cancelled(link.back_off()).await;
                }
            }
        }
    }

    /// A server that lost its data, or its group, gets the group again.
    async fn mend(&self, link: &mut Link, error: &RedisError) {
        if error.code() == Some("NOGROUP") {
            // Its error is that of the next read.
            let _ = self.source.prepare(link).await;
        }
    }

    async fn hand_over(&self, read: Vec<Read>, sender: &Sender) {
        let lane = self.ordered.then_some(0);
        let fresh = read.into_iter().filter(|one| self.ledger.read(one.position));
        let records: Vec<Record<Entry>> =
            fresh.map(|one| Record::new(one.position, lane, one.received, one.entry)).collect();
        if !records.is_empty() {
            // The shard ends before its receiver only when the session does.
            let _ = sender.send(records).await;
        }
    }

    /// Keeps what runs from others, and takes what others left.
    async fn keep(&self, sender: Sender, stop: &Stop) -> Infallible {
        let mut link = self.link();
        let interval = self.config.visibility / 3;
        let (mut tidied, mut measured) = (Instant::now(), None::<Instant>);
        let mut turn = 0_u32;
        loop {
            let next = Instant::now() + interval;
            turn = turn.wrapping_add(1);
            if let Err(error) = self.keep_once(&mut link, &sender, stop, turn).await {
                self.trouble("what runs cannot be kept", &error);
            }
            if measured.is_none_or(|at| at.elapsed() >= LAG_INTERVAL) {
                measured = Some(Instant::now());
                self.measure(&mut link).await;
            }
            if tidied.elapsed() >= TIDY_INTERVAL {
                tidied = Instant::now();
                if let Err(error) = self.source.tidy(&mut link).await {
                    self.trouble("cannot be tidied up", &error);
                }
            }
            sleep_until(next).await;
        }
    }

    async fn measure(&self, link: &mut Link) {
        let part = SourcePart {
            trigger: self.config.pull.name.clone(),
            destination: self.config.source.key().to_owned(),
            partition: None,
        };
        // A server that is away is told of by those who read.
        self.status.set_lag(part, self.source.lag(link).await.ok().flatten());
    }

    async fn keep_once(
        &self,
        link: &mut Link,
        sender: &Sender,
        stop: &Stop,
        turn: u32,
    ) -> Result<(), RedisError> {
        self.source.extend(link, &self.ledger.running()).await?;
        let room = self.ledger.room_now().min(READ_MAX);
        // Who reads alone has claimed everything at its beginning.
        if !self.ordered && turn.is_multiple_of(2) && room > 0 && !stop.drain.is_cancelled() {
            let left = self.source.reclaim(link, room).await?;
            let left = self.unsettled(left).await;
            self.hand_over(left, sender).await;
        }
        Ok(())
    }

    /// Of what others left, what they settled before they were gone is only acknowledged.
    async fn unsettled(&self, left: Vec<Read>) -> Vec<Read> {
        let mut unsettled = Vec::with_capacity(left.len());
        for read in left {
            match self.puller.is_settled(&self.name, read.position).await {
                Ok(true) => {
                    self.ledger.settled(&[Settled { position: read.position, marked: true }]);
                }
                Ok(false) => unsettled.push(read),
                // It stays pending, and is claimed again.
                Err(error) => {
                    let trigger = &self.config.pull.name;
                    tracing::warn!(%trigger, %error, "waits for the store");
                }
            }
        }
        unsettled
    }

    async fn acknowledge(&self) -> Infallible {
        let mut link = self.link();
        loop {
            self.ledger.something_settled().await;
            while !self.acknowledge_all(&mut link).await {
                link.back_off().await;
            }
        }
    }

    /// Acknowledges everything that is settled; false when the server did not take it.
    async fn acknowledge_all(&self, link: &mut Link) -> bool {
        loop {
            let settled = self.ledger.to_acknowledge(ACKNOWLEDGED_MAX);
            if settled.is_empty() {
                return true;
            }
            let positions: Vec<u128> = settled.iter().map(|one| one.position).collect();
            if let Err(error) = self.source.acknowledge(link, &positions).await {
                self.trouble("nothing can be acknowledged", &error);
                return false;
            }
            self.ledger.acknowledged(&settled);
            let marked: Vec<u128> =
                settled.iter().filter(|one| one.marked).map(|one| one.position).collect();
            Marks::acknowledged(&*self.puller.store, &self.name, &marked).await;
        }
    }

    async fn end(&self) {
        let mut link = self.link();
        while !self.acknowledge_all(&mut link).await {
            sleep(READ_WAIT / 10).await;
        }
        let left = self.ledger.running();
        if let Err(error) = self.source.release(&mut link, &left).await {
            self.trouble("what is left waits for its visibility", &error);
        }
    }

    fn trouble(&self, what: &str, error: &RedisError) {
        let (trigger, server) = (&self.config.pull.name, &self.config.server);
        tracing::warn!(%trigger, ?server, %error, "{what}");
    }
}
