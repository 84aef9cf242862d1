//! What is left when a store is opened again.

use std::sync::Arc;
use std::time::Duration;

use super::{Bench, Broken, Shared, append, cases, claim, key, must, put, queue};
use crate::{Append, Effect, Expect, Leased, Op};

cases![everything_is_there_when_opened_again, everything_is_there_after_a_kill];

async fn everything_is_there_when_opened_again(bench: &Bench<'_>) -> Result<(), Broken> {
    outlives(bench, false).await
}

async fn everything_is_there_after_a_kill(bench: &Bench<'_>) -> Result<(), Broken> {
    outlives(bench, true).await
}

async fn again(bench: &Bench<'_>, store: Shared, kill: bool) -> Option<Shared> {
    let clock = Arc::clone(&bench.clock);
    match kill {
        true => bench.backend.kill(store, clock).await,
        false => bench.backend.reopen(store, clock).await,
    }
}

async fn outlives(bench: &Bench<'_>, kill: bool) -> Result<(), Broken> {
    let store = bench.backend.open(Arc::clone(&bench.clock)).await;
    let (k, q) = (key("k")?, queue("q")?);
    let timed = Op::Put {
        key: key("timed")?,
        bytes: "t".into(),
        expect: Expect::Any,
        ttl: Some(Duration::from_secs(60)),
    };
    let once = Append { dedup: Some(Duration::from_secs(60)), ..append(&q, "once") };
    let late = Append { delay: Duration::from_secs(30), ..append(&q, "late") };
    let grouped = |id| Op::Append(Append { group: Some("g".into()), ..append(&q, id) });
    let ops = vec![
        put(&k, vec![9; 200_000], Expect::Any),
        timed,
        Op::Append(once.clone()),
        Op::Append(late),
        grouped("g1"),
        grouped("g2"),
    ];
    let effects = store.commit(ops).await?;
    let claimed = store.claim(q.clone(), claim(1)).await?;
    must!(claimed.len() == 1, "what is claimable MUST be claimed", "{claimed:?}");
    let leased = store.lease(key("leased")?, Duration::from_secs(10)).await?;
    let Some(store) = again(bench, store, kill).await else { return Ok(()) };

    let value = store.get(k.clone()).await?;
    let large = value.as_ref().is_some_and(|value| value.bytes == vec![9; 200_000]);
    let version = value.map(|value| Effect::Version(value.version));
    must!(
        large && effects.first().copied() == version,
        "a value MUST outlive the process, with its version",
        "it has {version:?} after {effects:?}"
    );
    if bench.backend.opens_without_leases() {
        let now = store.lease(key("leased")?, Duration::from_secs(10)).await?;
        let tokens = match (&leased, &now) {
            (Leased::Acquired(before), Leased::Acquired(after)) => before.token != after.token,
            _ => false,
        };
        must!(tokens, "a backend of one process MUST forget its leases at open", "{now:?}");
    } else {
        bench.clock.advance(30_000);
    }
    let both = store.claim(q.clone(), claim(9)).await?;
    let seen: Vec<(&str, u32)> =
        both.iter().map(|claimed| (claimed.entry.id.as_str(), claimed.entry.receives)).collect();
    let first = seen.iter().find(|(id, _)| *id == "once");
    must!(
        first == Some(&("once", 2)),
        "a claimed entry MUST become claimable again, and its claims MUST stay counted",
        "{seen:?} came"
    );
    must!(
        seen.contains(&("g1", 1)) && !seen.iter().any(|(id, _)| *id == "g2"),
        "a group MUST outlive the process",
        "{seen:?} came"
    );
    let repeat = store.commit(vec![Op::Append(once), put(&key("n")?, "n", Expect::Any)]).await?;
    let fresh = repeat.get(1).copied();
    must!(
        repeat.first() == Some(&Effect::Duplicate),
        "an appended id MUST outlive the process",
        "the effects are {repeat:?}"
    );
    let greater = match (effects.first(), fresh) {
        (Some(Effect::Version(before)), Some(Effect::Version(after))) => after > *before,
        _ => false,
    };
    must!(greater, "a version MUST be a new one after a restart too", "{fresh:?}");
    let depth = store.depth(q).await?.entries;
    must!(depth == 4, "depth MUST outlive the process", "it is {depth}");
    bench.clock.advance(60_000);
    let timed = store.get(key("timed")?).await?;
    must!(timed.is_none(), "a time to live MUST outlive the process", "{timed:?} is there");
    Ok(())
}
