//! Values.

use std::time::Duration;

use bytes::Bytes;

use super::{Bench, Broken, START_MS, cases, key, must, put};
use crate::{Effect, Expect, Key, Op, StoreError, Value};

cases![
    a_value_is_what_was_put,
    versions_never_repeat,
    expectations_are_checked,
    a_value_whose_time_is_over_is_absent,
    a_list_is_in_order_and_pages,
    increments_count,
    values_of_a_mebibyte_and_more,
];

async fn a_value_is_what_was_put(bench: &Bench<'_>) -> Result<(), Broken> {
    let k = key("a/1")?;
    must!(bench.value(&k).await?.is_none(), "an unset key MUST be absent", "it has a value");
    bench.store.commit(vec![put(&k, "one", Expect::Any)]).await?;
    bench.store.commit(vec![put(&k, vec![0_u8, 255, 10], Expect::Any)]).await?;
    let seen = bench.value(&k).await?;
    must!(
        seen.as_deref() == Some(&[0, 255, 10]),
        "a read MUST see every commit that resolved before it began",
        "it saw {seen:?}"
    );
    bench.store.commit(vec![put(&k, "", Expect::Any)]).await?;
    let seen = bench.value(&k).await?;
    must!(seen.as_deref() == Some(&[]), "an empty value MUST be a value", "it is {seen:?}");
    let delete = || Op::Delete { key: k.clone(), expect: Expect::Any };
    let effects = bench.store.commit(vec![delete(), delete()]).await?;
    must!(
        effects == [Effect::Removed(true), Effect::Removed(false)],
        "a delete MUST tell whether something was there",
        "it told {effects:?}"
    );
    must!(bench.value(&k).await?.is_none(), "a deleted key MUST be absent", "it has a value");
    Ok(())
}

async fn versions_never_repeat(bench: &Bench<'_>) -> Result<(), Broken> {
    let k = key("v")?;
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..20 {
        let effects = bench.store.commit(vec![put(&k, "x", Expect::Any)]).await?;
        let value = bench.store.get(k.clone()).await?;
        let version = value.as_ref().map(|value| value.version);
        must!(
            effects.first().copied() == version.map(Effect::Version),
            "a put MUST tell the version that a read shows",
            "it told {effects:?}, and a read shows {version:?}"
        );
        must!(
            version.is_some_and(|version| seen.insert(version)),
            "a version MUST never be one that the key had before",
            "write {round} got {version:?} again"
        );
        if round % 3 == 0 {
            let delete = Op::Delete { key: k.clone(), expect: Expect::Any };
            bench.store.commit(vec![delete]).await?;
        }
    }
    Ok(())
}

async fn expectations_are_checked(bench: &Bench<'_>) -> Result<(), Broken> {
    let k = key("e")?;
    let first = bench.store.commit(vec![put(&k, "1", Expect::Absent)]).await?;
    let Some(Effect::Version(first)) = first.first().copied() else {
        must!(false, "a put MUST tell its version", "it told {first:?}");
        return Ok(());
    };
    let second = bench.store.commit(vec![put(&k, "2", Expect::Version(first))]).await?;
    must!(second.len() == 1, "there MUST be one effect an operation", "there are {second:?}");
    let check = |expect| Op::Check { key: k.clone(), expect };
    let delete = |expect| Op::Delete { key: k.clone(), expect };
    let wrong = [
        put(&k, "3", Expect::Absent),
        put(&k, "3", Expect::Version(first)),
        delete(Expect::Absent),
        delete(Expect::Version(first)),
        check(Expect::Absent),
        check(Expect::Version(first)),
    ];
    for op in wrong {
        let told = bench.store.commit(vec![op.clone()]).await;
        must!(
            told == Err(StoreError::Conflict { op: 0 }),
            "an expectation that does not hold MUST be a conflict",
            "{op:?} gave {told:?}"
        );
    }
    let seen = bench.value(&k).await?;
    must!(seen.as_deref() == Some(b"2"), "a conflict MUST change nothing", "the value is {seen:?}");
    bench.store.commit(vec![check(Expect::Any), delete(Expect::Any)]).await?;
    bench.store.commit(vec![check(Expect::Absent)]).await?;
    Ok(())
}

async fn a_value_whose_time_is_over_is_absent(bench: &Bench<'_>) -> Result<(), Broken> {
    let (k, kept) = (key("t/1")?, key("t/2")?);
    let ttl = Some(Duration::from_secs(60));
    let timed = |expect| Op::Put { key: k.clone(), bytes: "7".into(), expect, ttl };
    bench.store.commit(vec![timed(Expect::Absent), put(&kept, "k", Expect::Any)]).await?;
    bench.store.commit(vec![Op::Increment { key: k.clone(), delta: 1 }]).await?;
    let value = bench.store.get(k.clone()).await?;
    let ends = value.as_ref().and_then(|value| value.expires_at_ms);
    must!(
        ends == Some(START_MS + 60_000),
        "an increment MUST keep the time to live",
        "it ends at {ends:?} instead of {}",
        START_MS + 60_000
    );
    bench.clock.advance(59_999);
    must!(bench.value(&k).await?.is_some(), "a value MUST stay for its time", "it is gone early");
    bench.clock.advance(1);
    let seen = bench.value(&k).await?;
    must!(seen.is_none(), "a value whose time is over MUST be absent for reads", "it is {seen:?}");
    let listed = bench.store.list("t/", None, 10).await?;
    must!(listed.len() == 1, "a list MUST leave out what is over", "it gave {listed:?}");
    let effects =
        bench.store.commit(vec![Op::Delete { key: k.clone(), expect: Expect::Absent }]).await?;
    must!(
        effects == [Effect::Removed(false)],
        "a value whose time is over MUST be absent for expectations and effects",
        "a delete gave {effects:?}"
    );
    bench.store.commit(vec![timed(Expect::Absent)]).await?;
    bench.clock.advance(60_000);
    let sum = bench.store.commit(vec![Op::Increment { key: k.clone(), delta: 5 }]).await?;
    must!(sum == [Effect::Sum(5)], "an increment MUST count what is over as 0", "it gave {sum:?}");
    let ends = bench.store.get(k.clone()).await?.and_then(|value| value.expires_at_ms);
    must!(ends.is_none(), "a new number MUST stay for ever", "it ends at {ends:?}");
    Ok(())
}

async fn a_list_is_in_order_and_pages(bench: &Bench<'_>) -> Result<(), Broken> {
    let names = ["p", "p/a", "p/b", "p/b/c", "p/é", "p/\u{10ffff}", "q", "p%", "p_", "P/a"];
    let mut ops = Vec::new();
    for name in names {
        ops.push(put(&key(name)?, name.to_owned(), Expect::Any));
    }
    bench.store.commit(ops).await?;
    let mut wanted: Vec<&str> =
        names.iter().copied().filter(|name| name.starts_with("p/")).collect();
    wanted.sort_unstable();
    let mut seen: Vec<String> = Vec::new();
    let mut after: Option<Key> = None;
    // One more than there are pages: the last one is empty.
    for _ in 0..=wanted.len() {
        let page = bench.store.list("p/", after.clone(), 2).await?;
        must!(page.len() <= 2, "a page MUST have at most `limit` values", "it has {}", page.len());
        after = page.last().map(|(key, _)| key.clone()).or(after);
        seen.extend(page.iter().map(|(key, _)| key.to_string()));
        let whole = page.iter().all(|(key, value)| value.bytes == key.as_str().as_bytes());
        must!(whole, "a list MUST give the values of its keys", "it gave {page:?}");
    }
    must!(seen == wanted, "pages MUST join to the list, in the order of bytes", "it is {seen:?}");
    let all = bench.store.list("", None, 100).await?;
    must!(all.len() == names.len(), "an empty prefix MUST list all", "it lists {}", all.len());
    Ok(())
}

async fn increments_count(bench: &Bench<'_>) -> Result<(), Broken> {
    let k = key("n")?;
    let add = |delta| Op::Increment { key: k.clone(), delta };
    let sums = bench.store.commit(vec![add(5), add(-7), add(i64::MAX)]).await?;
    let wanted = [Effect::Sum(5), Effect::Sum(-2), Effect::Sum(i64::MAX - 2)];
    must!(sums == wanted, "each operation MUST see those before it", "the sums are {sums:?}");
    let over = bench.store.commit(vec![add(3)]).await;
    must!(
        matches!(over, Err(StoreError::Invalid(_))),
        "a sum beyond 64 bits MUST be invalid",
        "it gave {over:?}"
    );
    let seen = bench.value(&k).await?;
    let number = (i64::MAX - 2).to_string();
    must!(seen == Some(number.into()), "a number MUST be stored as decimal text", "it is {seen:?}");
    bench.store.commit(vec![put(&k, "no number", Expect::Any)]).await?;
    let text = bench.store.commit(vec![add(1)]).await;
    must!(
        matches!(text, Err(StoreError::Invalid(_))),
        "incrementing a text MUST be invalid",
        "it gave {text:?}"
    );
    Ok(())
}

async fn values_of_a_mebibyte_and_more(bench: &Bench<'_>) -> Result<(), Broken> {
    let sizes = [64 << 10, (64 << 10) + 1, 1 << 20, 5 << 20];
    for (index, size) in sizes.into_iter().enumerate() {
        let bytes: Bytes = (0..size).map(|at: usize| (at % 251) as u8).collect::<Vec<u8>>().into();
        // Two keys of the same bytes: one that goes must not take the other's along.
        let (k, other) = (key(&format!("large/{index}"))?, key(&format!("same/{index}"))?);
        let ops =
            vec![put(&k, bytes.clone(), Expect::Any), put(&other, bytes.clone(), Expect::Any)];
        bench.store.commit(ops).await?;
        let delete = Op::Delete { key: other.clone(), expect: Expect::Any };
        bench.store.commit(vec![delete]).await?;
        let seen = bench.value(&k).await?;
        must!(
            seen.as_ref() == Some(&bytes),
            "a value of up to 64 MiB MUST come back as it was put",
            "of {size} bytes came {:?}",
            seen.map(|seen| seen.len())
        );
        bench.store.commit(vec![put(&k, "small", Expect::Any)]).await?;
        let seen = bench.value(&k).await?;
        must!(seen.as_deref() == Some(b"small"), "a put MUST replace a large value", "{seen:?}");
        bench.store.commit(vec![put(&k, bytes.clone(), Expect::Any)]).await?;
    }
    let listed: Vec<(Key, Value)> = bench.store.list("large/", None, 10).await?;
    let seen: Vec<usize> = listed.iter().map(|(_, value)| value.bytes.len()).collect();
    must!(seen == sizes, "a list MUST give large values whole", "it gave {seen:?} bytes");
    Ok(())
}
