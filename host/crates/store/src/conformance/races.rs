//! Many at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Bench, Broken, Shared, append, cases, claim, key, must, put, queue};
use crate::{Effect, Expect, Lease, Leased, Op, StoreError};

cases![
    one_of_many_that_expect_absence_wins,
    increments_under_contention_are_all_counted,
    compare_and_set_loses_nothing,
    no_entry_has_two_holders,
    no_key_has_two_leases,
];

/// Runs `task` so often at once, on threads where there are some.
async fn at_once<T: Send + 'static, F>(
    store: &Shared,
    times: u32,
    task: impl Fn(Shared, u32) -> F,
) -> Result<Vec<T>, Broken>
where
    F: Future<Output = Result<T, Broken>> + Send + 'static,
{
    let tasks: Vec<_> =
        (0..times).map(|number| tokio::spawn(task(Arc::clone(store), number))).collect();
    let mut done = Vec::new();
    for task in tasks {
        let ended = task.await;
        let ended = ended.map_err(|error| Broken {
            must: "an operation MUST NOT panic",
            seen: error.to_string(),
        })?;
        done.push(ended?);
    }
    Ok(done)
}

async fn one_of_many_that_expect_absence_wins(bench: &Bench<'_>) -> Result<(), Broken> {
    let k = key("race")?;
    for round in 0..20 {
        let wins = at_once(&bench.store, 16, |store, number| {
            let op = put(&k, number.to_string(), Expect::Absent);
            async move {
                match store.commit(vec![op]).await {
                    Ok(_) => Ok(Some(number)),
                    Err(StoreError::Conflict { .. }) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
        })
        .await?;
        let wins: Vec<u32> = wins.into_iter().flatten().collect();
        let seen = bench.value(&k).await?;
        let text = wins.first().map(|number| number.to_string().into());
        must!(
            wins.len() == 1 && seen == text,
            "of those that expect the same absence exactly one MUST succeed",
            "in round {round} {wins:?} did, and {seen:?} is there"
        );
        bench.store.commit(vec![Op::Delete { key: k.clone(), expect: Expect::Any }]).await?;
    }
    Ok(())
}

async fn increments_under_contention_are_all_counted(bench: &Bench<'_>) -> Result<(), Broken> {
    let k = key("sum")?;
    let sums = at_once(&bench.store, 200, |store, _| {
        let op = Op::Increment { key: k.clone(), delta: 3 };
        async move { Ok(store.commit(vec![op]).await?) }
    })
    .await?;
    let mut sums: Vec<i64> = sums
        .into_iter()
        .flatten()
        .filter_map(|effect| match effect {
            Effect::Sum(sum) => Some(sum),
            _ => None,
        })
        .collect();
    sums.sort_unstable();
    let wanted: Vec<i64> = (1..=200).map(|count| count * 3).collect();
    must!(sums == wanted, "every increment MUST be counted once", "the sums are {sums:?}");
    Ok(())
}

async fn compare_and_set_loses_nothing(bench: &Bench<'_>) -> Result<(), Broken> {
    let k = key("cas")?;
    bench.store.commit(vec![put(&k, "", Expect::Any)]).await?;
    at_once(&bench.store, 8, |store, number| {
        let k = k.clone();
        async move {
            let mut written = 0;
            while written < 5 {
                let Some(value) = store.get(k.clone()).await? else { continue };
                let mut bytes = value.bytes.to_vec();
                bytes.push(number as u8);
                let op = put(&k, bytes, Expect::Version(value.version));
                match store.commit(vec![op]).await {
                    Ok(_) => written += 1,
                    Err(StoreError::Conflict { .. }) => tokio::task::yield_now().await,
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        }
    })
    .await?;
    let mut seen = bench.value(&k).await?.unwrap_or_default().to_vec();
    seen.sort_unstable();
    let wanted: Vec<u8> = (0..8).flat_map(|number| [number; 5]).collect();
    must!(seen == wanted, "compare-and-set MUST lose no write", "what is left is {seen:?}");
    Ok(())
}

async fn no_entry_has_two_holders(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("work")?;
    let ops = (0..200).map(|number| Op::Append(append(&q, &number.to_string()))).collect();
    bench.store.commit(ops).await?;
    let rounds = at_once(&bench.store, 8, |store, number| {
        let q = q.clone();
        async move {
            let mut mine = Vec::new();
            loop {
                let claimed = store.claim(q.clone(), claim(1 + number % 5)).await?;
                if claimed.is_empty() {
                    return Ok(mine);
                }
                for claimed in claimed {
                    mine.push(claimed.entry.id);
                    if number % 2 == 0 {
                        store.commit(vec![Op::Ack(claimed.receipt)]).await?;
                    }
                }
            }
        }
    })
    .await?;
    let mut holders: BTreeMap<String, u32> = BTreeMap::new();
    for id in rounds.into_iter().flatten() {
        *holders.entry(id).or_default() += 1;
    }
    let twice: Vec<_> = holders.iter().filter(|(_, count)| **count > 1).collect();
    must!(
        twice.is_empty() && holders.len() == 200,
        "an entry MUST never have two holders whose leases are live, and none MUST be left out",
        "{} of 200 were claimed, and more than once: {twice:?}",
        holders.len()
    );
    Ok(())
}

async fn no_key_has_two_leases(bench: &Bench<'_>) -> Result<(), Broken> {
    let k = key("leased")?;
    let ttl = Duration::from_secs(10);
    for _ in 0..10 {
        let leased = at_once(&bench.store, 16, |store, _| {
            let k = k.clone();
            async move { Ok(store.lease(k, ttl).await?) }
        })
        .await?;
        let holders: Vec<&Lease> = leased
            .iter()
            .filter_map(|leased| match leased {
                Leased::Acquired(lease) => Some(lease),
                Leased::Held | Leased::Present(_) => None,
            })
            .collect();
        let [lease] = holders[..] else {
            must!(false, "there MUST never be two live leases of one key", "{leased:?}");
            return Ok(());
        };
        bench.store.give_back(lease).await?;
    }
    Ok(())
}
