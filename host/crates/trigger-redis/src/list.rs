//! A list, read reliably: an element stays on the server until it is settled.
//!
//! It is moved into an inbox of this consumer, gets an id there and is kept under it. What a consumer
//! had that is gone, others take over.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::{RedisResult, Script, Value, cmd};

use crate::answer::{array, bytes, number, text};
use crate::entry::{Entry, Origin, Payload};
use crate::ledger::Ledger;
use crate::link::Link;
use crate::source::Read;

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/take.lua")));
static INHERIT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/inherit.lua")));

/// A list as one consumer reads it.
#[derive(Clone)]
pub(crate) struct List {
    pub(crate) origin: Arc<Origin>,
    pub(crate) consumer: String,
    pub(crate) visibility: Duration,
}

impl List {
    /// A key of ours in the list's slot of a cluster.
    fn own(&self, part: &str) -> String {
        let Origin { key, group } = &*self.origin;
        format!("{}:wfh:{group}:{part}", in_slot_of(key))
    }

    fn inbox(&self, consumer: &str) -> String {
        self.own(&format!("inbox:{consumer}"))
    }

    fn taken(&self, consumer: &str) -> String {
        self.own(&format!("taken:{consumer}"))
    }

    fn keys(&self) -> Vec<String> {
        vec![
            self.origin.key.clone(),
            self.inbox(&self.consumer),
            self.taken(&self.consumer),
            self.own("deliveries"),
            self.own("next"),
            self.own("consumers"),
        ]
    }

    /// A list without elements is waited for by a move to the inbox, which is as safe as the list.
    pub(crate) async fn read(
        &self,
        link: &mut Link,
        count: usize,
        wait: Duration,
    ) -> RedisResult<Vec<Read>> {
        let taken = self.take(link, count).await?;
        if !taken.is_empty() {
            return Ok(taken);
        }
        let mut wait_for = cmd("BLMOVE");
        wait_for.arg(&self.origin.key).arg(self.inbox(&self.consumer)).arg("RIGHT").arg("LEFT");
        match link.ask(wait_for.arg(wait.as_secs_f64())).await? {
            Value::Nil => Ok(Vec::new()),
            _ => self.take(link, count).await,
        }
    }

    async fn take(&self, link: &mut Link, count: usize) -> RedisResult<Vec<Read>> {
        let arguments = [self.consumer.clone().into_bytes(), count.to_string().into_bytes()];
        self.given(link.run(&TAKE, &self.keys(), &arguments).await?)
    }

    /// What this consumer had taken before it ended.
    pub(crate) async fn left(&self, link: &mut Link, ledger: &Ledger) -> RedisResult<Vec<Read>> {
        // Its own elements go where they are; no other consumer has its name.
        let mut all = self.inherit(link, &self.consumer, Duration::ZERO, usize::MAX).await?;
        all.retain(|one| !ledger.has(one.position));
        Ok(all)
    }

    /// What nobody has taken; what runs stands in lists of its consumers.
    pub(crate) async fn lag(&self, link: &mut Link) -> RedisResult<u64> {
        number(link.ask(cmd("LLEN").arg(&self.origin.key)).await?)
    }

    /// What consumers had taken that are silent.
    pub(crate) async fn reclaim(&self, link: &mut Link, count: usize) -> RedisResult<Vec<Read>> {
        let mut all = cmd("ZRANGE");
        let consumers = array(link.ask(all.arg(self.own("consumers")).arg(0).arg(-1)).await?)?;
        let mut found = Vec::new();
        for consumer in consumers {
            let consumer = text(consumer)?;
            let room = count.saturating_sub(found.len());
            if consumer != self.consumer && room > 0 {
                found.extend(self.inherit(link, &consumer, self.visibility, room).await?);
            }
        }
        Ok(found)
    }

    async fn inherit(
        &self,
        link: &mut Link,
        from: &str,
        silent: Duration,
        count: usize,
    ) -> RedisResult<Vec<Read>> {
        let mut keys = self.keys();
        keys.extend([self.inbox(from), self.taken(from)]);
        let arguments = [
            self.consumer.clone(),
            from.to_owned(),
            silent.as_millis().to_string(),
            count.to_string(),
        ]
        .map(String::into_bytes);
        self.given(link.run(&INHERIT, &keys, &arguments).await?)
    }

    /// A consumer that is not silent keeps all that it has.
    pub(crate) async fn extend(&self, link: &mut Link) -> RedisResult<()> {
        self.take(link, 0).await.map(drop)
    }

    pub(crate) async fn acknowledge(&self, link: &mut Link, ended: &[u128]) -> RedisResult<()> {
        for key in [self.taken(&self.consumer), self.own("deliveries")] {
            let mut delete = cmd("HDEL");
            delete.arg(key);
            for position in ended {
                delete.arg(position.to_string());
            }
            link.ask(&delete).await?;
        }
        Ok(())
    }

    /// Others need not wait until this consumer is silent for long enough.
    pub(crate) async fn release(&self, link: &mut Link) -> RedisResult<()> {
        let mut silent = cmd("ZADD");
        silent.arg(self.own("consumers")).arg("XX").arg(0).arg(&self.consumer);
        link.ask(&silent).await.map(drop)
    }

    fn given(&self, value: Value) -> RedisResult<Vec<Read>> {
        let mut parts = array(value)?.into_iter();
        let mut found = Vec::new();
        while let (Some(id), Some(received), Some(element)) =
            (parts.next(), parts.next(), parts.next())
        {
            let id = text(id)?;
            let Ok(position) = id.parse() else { continue };
            let before = number(received)?.saturating_sub(1);
            let received = u32::try_from(before).unwrap_or(u32::MAX);
            let (origin, payload) = (Arc::clone(&self.origin), Payload::Element(bytes(element)?));
            found.push(Read { position, received, entry: Entry { origin, id, payload } });
        }
        Ok(found)
    }
}

/// A prefix that puts a key into the same slot of a cluster as `key`.
pub(crate) fn in_slot_of(key: &str) -> String {
    match key.split_once('{').and_then(|(_, rest)| rest.split_once('}')) {
        // Its own tag decides about its slot already.
        Some((tag, _)) if !tag.is_empty() => key.to_owned(),
        _ => format!("{{{key}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_in_the_slot_of_their_list() {
        assert_eq!(in_slot_of("jobs"), "{jobs}");
        assert_eq!(in_slot_of("a{b}c"), "a{b}c");
        assert_eq!(in_slot_of("a{}c"), "{a{}c}");
    }
}
