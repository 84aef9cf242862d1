//! A consumer group on a stream.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::{Cmd, RedisResult, Script, Value, cmd};

use crate::StreamConfig;
use crate::answer::{Fields, array, entries, number, pairs, text};
use crate::entry::{Entry, Origin, Payload};
use crate::ledger::Ledger;
use crate::link::Link;
use crate::source::Read;

/// What is pending is looked at in pages of this size.
const PAGE: usize = 1_000;
/// Before every entry; where a search ends that went through all of them.
const BEGINNING: &str = "0-0";
/// The names of our consumers begin with it.
pub(crate) const CONSUMER_PREFIX: &str = "wfh-";
/// How long a consumer without anything pending is kept.
const CONSUMER_KEPT: Duration = Duration::from_secs(3_600);

static EXTEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/extend.lua")));
static TIDY: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/tidy.lua")));

/// A stream as one consumer of its group reads it.
#[derive(Clone)]
pub(crate) struct Stream {
    pub(crate) config: Arc<StreamConfig>,
    pub(crate) origin: Arc<Origin>,
    pub(crate) consumer: String,
    pub(crate) visibility: Duration,
}

impl Stream {
    /// Makes the group, and the stream, unless they are there.
    pub(crate) async fn prepare(&self, link: &mut Link) -> RedisResult<()> {
        let start = if self.config.from_latest { "$" } else { "0" };
        let mut create = cmd("XGROUP");
        create.arg("CREATE").arg(self.key()).arg(self.group()).arg(start).arg("MKSTREAM");
        match link.ask(&create).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn key(&self) -> &str {
        &self.origin.key
    }

    fn group(&self) -> &str {
        &self.origin.group
    }

    pub(crate) async fn read(
        &self,
        link: &mut Link,
        count: usize,
        wait: Duration,
    ) -> RedisResult<Vec<Read>> {
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(self.group()).arg(&self.consumer).arg("COUNT").arg(count);
        read.arg("BLOCK").arg(millis(wait)).arg("STREAMS").arg(self.key()).arg(">");
        let mut found = Vec::new();
        for (_, read) in streams(link.ask(&read).await?)? {
            for (id, fields) in entries(read)? {
                found.extend(self.given(id, fields, 0));
            }
        }
        Ok(found)
    }

    /// Claims what is pending, and counts that as a delivery.
    pub(crate) async fn left(
        &self,
        link: &mut Link,
        of_all: bool,
        ledger: &Ledger,
    ) -> RedisResult<Vec<Read>> {
        let mut found = Vec::new();
        let mut from = "-".to_owned();
        loop {
            let mut pending = cmd("XPENDING");
            pending.arg(self.key()).arg(self.group()).arg(&from).arg("+").arg(PAGE);
            if !of_all {
                pending.arg(&self.consumer);
            }
            let pending = pending_of(link.ask(&pending).await?)?;
            let Some((last, _)) = pending.last() else { return Ok(found) };
            from = format!("({last}");
            let mut claim = self.claim(0);
            let is_here = |id: &str| position_of(id).is_some_and(|position| ledger.has(position));
            let missing: Vec<&String> =
                pending.iter().map(|(id, _)| id).filter(|id| !is_here(id)).collect();
            if missing.is_empty() {
                continue;
            }
            claim.arg(missing);
            let claimed = entries(link.ask(&claim).await?)?;
            found.extend(claimed.into_iter().filter_map(|(id, fields)| {
                let received = pending.iter().find(|(known, _)| *known == id);
                self.given(id, fields, received.map_or(0, |(_, count)| *count))
            }));
        }
    }

    /// What nobody has extended for as long as it may be silent.
    pub(crate) async fn reclaim(&self, link: &mut Link, count: usize) -> RedisResult<Vec<Read>> {
        let (mut claimed, mut from) = (Vec::new(), BEGINNING.to_owned());
        // One command looks at a few of those that run, and says where the next one goes on.
        loop {
            let mut claim = cmd("XAUTOCLAIM");
            claim.arg(self.key()).arg(self.group()).arg(&self.consumer);
            claim.arg(millis(self.visibility)).arg(from).arg("COUNT").arg(count - claimed.len());
            let mut answer = array(link.ask(&claim).await?)?.into_iter();
            from = text(answer.next().unwrap_or_default())?;
            claimed.extend(entries(answer.next().unwrap_or_default())?);
            if from == BEGINNING || claimed.len() >= count {
                break;
            }
        }
        let mut found = Vec::with_capacity(claimed.len());
        for (id, fields) in claimed {
            let mut pending = cmd("XPENDING");
            pending.arg(self.key()).arg(self.group()).arg(&id).arg(&id).arg(1);
            let counted = pending_of(link.ask(&pending).await?)?;
            // The delivery that this claim is counts already.
            let before = counted.first().map_or(0, |(_, count)| count.saturating_sub(1));
            found.extend(self.given(id, fields, before));
        }
        Ok(found)
    }

    pub(crate) async fn extend(&self, link: &mut Link, running: &[u128]) -> RedisResult<()> {
        self.idle(link, running, 0).await
    }

    pub(crate) async fn release(&self, link: &mut Link, left: &[u128]) -> RedisResult<()> {
        self.idle(link, left, millis(self.visibility)).await
    }

    /// Says how long entries of this consumer have been silent.
    async fn idle(&self, link: &mut Link, positions: &[u128], idle_ms: u64) -> RedisResult<()> {
        for page in positions.chunks(PAGE) {
            let mut arguments: Vec<Vec<u8>> = vec![
                self.group().as_bytes().to_vec(),
                self.consumer.as_bytes().to_vec(),
                idle_ms.to_string().into_bytes(),
            ];
            arguments.extend(page.iter().map(|position| id_of(*position).into_bytes()));
            link.run(&EXTEND, &[self.key().to_owned()], &arguments).await?;
        }
        Ok(())
    }

    pub(crate) async fn acknowledge(&self, link: &mut Link, ended: &[u128]) -> RedisResult<()> {
        let mut acknowledge = cmd("XACK");
        acknowledge.arg(self.key()).arg(self.group());
        for position in ended {
            acknowledge.arg(id_of(*position));
        }
        link.ask(&acknowledge).await.map(drop)
    }

    /// The server does not know where entries between were deleted.
    pub(crate) async fn lag(&self, link: &mut Link) -> RedisResult<Option<u64>> {
        let mut groups = cmd("XINFO");
        groups.arg("GROUPS").arg(self.key());
        for group in array(link.ask(&groups).await?)? {
            let about: Vec<(String, Value)> = pairs(group)?
                .into_iter()
                .filter_map(|(name, value)| Some((text(name).ok()?, value)))
                .collect();
            let of = |name: &str| about.iter().find(|(known, _)| known == name).map(|(_, v)| v);
            if of("name").and_then(|name| text(name.clone()).ok()).as_deref() != Some(self.group())
            {
                continue;
            }
            let count = |name| of(name).and_then(|value| number(value.clone()).ok());
            let (Some(unread), Some(pending)) = (count("lag"), count("pending")) else {
                return Ok(None);
            };
            return Ok(Some(unread.saturating_add(pending)));
        }
        Ok(None)
    }

    pub(crate) async fn tidy(&self, link: &mut Link) -> RedisResult<()> {
        let arguments = [
            self.group().to_owned(),
            CONSUMER_PREFIX.to_owned(),
            millis(CONSUMER_KEPT).to_string(),
            u8::from(self.config.trim).to_string(),
        ]
        .map(String::into_bytes);
        link.run(&TIDY, &[self.key().to_owned()], &arguments).await.map(drop)
    }

    fn claim(&self, idle_ms: u64) -> Cmd {
        let mut claim = cmd("XCLAIM");
        claim.arg(self.key()).arg(self.group()).arg(&self.consumer).arg(idle_ms);
        claim
    }

    fn given(&self, id: String, fields: Fields, received: u32) -> Option<Read> {
        let position = position_of(&id)?;
        let (origin, payload) = (Arc::clone(&self.origin), Payload::Fields(fields));
        Some(Read { position, received, entry: Entry { origin, id, payload } })
    }
}

/// An entry's id as one number, in the same order.
fn position_of(id: &str) -> Option<u128> {
    let (ms, seq) = id.split_once('-')?;
    Some(u128::from(ms.parse::<u64>().ok()?) << 64 | u128::from(seq.parse::<u64>().ok()?))
}

#[allow(clippy::cast_possible_truncation, reason = "the two halves are taken apart")]
fn id_of(position: u128) -> String {
    format!("{}-{}", (position >> 64) as u64, position as u64)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The streams of an answer, of which there is one or none.
fn streams(value: Value) -> RedisResult<Vec<(Value, Value)>> {
    match value {
        // The newer protocol has a map here, the older one an array of pairs.
        Value::Map(streams) => Ok(streams),
        other => array(other)?
            .into_iter()
            .map(|stream| Ok(pairs(stream)?.into_iter().next().unwrap_or_default()))
            .collect(),
    }
}

/// Ids that are pending, and how often they were delivered.
fn pending_of(value: Value) -> RedisResult<Vec<(String, u32)>> {
    let mut found = Vec::new();
    for one in array(value)? {
        let mut parts = array(one)?.into_iter();
        if let (Some(id), Some(deliveries)) = (parts.next(), parts.nth(2)) {
            found.push((text(id)?, u32::try_from(number(deliveries)?).unwrap_or(u32::MAX)));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_positions_are_the_same_order() {
        for id in ["0-1", "1700000000000-0", "18446744073709551615-18446744073709551615"] {
            assert_eq!(id_of(position_of(id).unwrap()), id);
        }
        assert!(position_of("5-9").unwrap() < position_of("6-0").unwrap());
        assert!(position_of("nonsense").is_none());
    }
}
