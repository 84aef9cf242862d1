//! A stream or a list: what both can do.

use std::time::Duration;

use redis::RedisResult;

use crate::entry::Entry;
use crate::ledger::Ledger;
use crate::link::Link;
use crate::list::List;
use crate::stream::Stream;

/// An entry with its position, and how often it was given before without an end.
pub(crate) struct Read {
    pub(crate) position: u128,
    pub(crate) received: u32,
    pub(crate) entry: Entry,
}

/// What is read.
#[derive(Clone)]
pub(crate) enum Source {
    Stream(Stream),
    List(List),
}

impl Source {
    /// Makes what is missing on the server.
    pub(crate) async fn prepare(&self, link: &mut Link) -> RedisResult<()> {
        match self {
            Self::Stream(stream) => stream.prepare(link).await,
            Self::List(_) => Ok(()),
        }
    }

    /// What this consumer, or any one if `of_all`, had read before and not acknowledged,
    /// and is not in `ledger`.
    pub(crate) async fn left(
        &self,
        link: &mut Link,
        of_all: bool,
        ledger: &Ledger,
    ) -> RedisResult<Vec<Read>> {
        match self {
            Self::Stream(stream) => stream.left(link, of_all, ledger).await,
            Self::List(list) => list.left(link, ledger).await,
        }
    }

    /// Waits up to `wait` for new entries, and reads at most `count`.
    pub(crate) async fn read(
        &self,
        link: &mut Link,
        count: usize,
        wait: Duration,
    ) -> RedisResult<Vec<Read>> {
        match self {
            Self::Stream(stream) => stream.read(link, count, wait).await,
            Self::List(list) => list.read(link, count, wait).await,
        }
    }

    /// What other consumers left for longer than they may.
    pub(crate) async fn reclaim(&self, link: &mut Link, count: usize) -> RedisResult<Vec<Read>> {
        match self {
            Self::Stream(stream) => stream.reclaim(link, count).await,
            Self::List(list) => list.reclaim(link, count).await,
        }
    }

    /// These run on; others must not reclaim them.
    pub(crate) async fn extend(&self, link: &mut Link, running: &[u128]) -> RedisResult<()> {
        match self {
            Self::Stream(stream) => stream.extend(link, running).await,
            Self::List(list) => list.extend(link).await,
        }
    }

    /// The server may forget these.
    pub(crate) async fn acknowledge(&self, link: &mut Link, ended: &[u128]) -> RedisResult<()> {
        match self {
            Self::Stream(stream) => stream.acknowledge(link, ended).await,
            Self::List(list) => list.acknowledge(link, ended).await,
        }
    }

    /// These will not run here; others may have them at once.
    pub(crate) async fn release(&self, link: &mut Link, left: &[u128]) -> RedisResult<()> {
        match self {
            Self::Stream(stream) => stream.release(link, left).await,
            Self::List(list) => list.release(link).await,
        }
    }

    /// How many entries are not acknowledged, those that nobody has read among them; `None` where
    /// the server does not know.
    pub(crate) async fn lag(&self, link: &mut Link) -> RedisResult<Option<u64>> {
        match self {
            Self::Stream(stream) => stream.lag(link).await,
            Self::List(list) => list.lag(link).await.map(Some),
        }
    }

    /// What has to be done now and then.
    pub(crate) async fn tidy(&self, link: &mut Link) -> RedisResult<()> {
        match self {
            Self::Stream(stream) => stream.tidy(link).await,
            Self::List(_) => Ok(()),
        }
    }
}
