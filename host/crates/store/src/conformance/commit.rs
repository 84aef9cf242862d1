//! Commits.

use super::{Bench, Broken, append, cases, key, must, put, queue};
use crate::{Append, BYTES_MAX, Effect, Expect, OPS_MAX, Op, StoreError};

cases![
    an_empty_commit_succeeds,
    a_mixed_commit_happens_whole,
    a_refused_commit_leaves_no_trace,
    operations_see_those_before_them,
    what_is_too_much_is_refused,
    a_refusal_leaves_its_neighbours_alone,
];

async fn an_empty_commit_succeeds(bench: &Bench<'_>) -> Result<(), Broken> {
    let effects = bench.store.commit(Vec::new()).await?;
    must!(effects.is_empty(), "an empty commit MUST have no effects", "it has {effects:?}");
    Ok(())
}

async fn a_mixed_commit_happens_whole(bench: &Bench<'_>) -> Result<(), Broken> {
    let (k, from, to) = (key("m")?, queue("from")?, queue("to")?);
    bench.append(&from, &["e"]).await?;
    let claimed = bench.claim_one(&from).await?;
    let ops = vec![
        put(&k, "done", Expect::Absent),
        Op::Append(append(&to, "next")),
        Op::Increment { key: key("count")?, delta: 1 },
        Op::Ack(claimed.receipt),
    ];
    let effects = bench.store.commit(ops).await?;
    must!(
        matches!(
            effects[..],
            [Effect::Version(_), Effect::Appended(_), Effect::Sum(1), Effect::Done]
        ),
        "a commit MUST give each operation's effect in order",
        "it gave {effects:?}"
    );
    let left = bench.store.depth(from).await?.entries;
    let came = bench.store.depth(to).await?.entries;
    must!((left, came) == (0, 1), "a commit MUST do all of it", "{left} left, {came} came");
    Ok(())
}

async fn a_refused_commit_leaves_no_trace(bench: &Bench<'_>) -> Result<(), Broken> {
    let (k, q, fresh) = (key("m")?, queue("from")?, queue("fresh")?);
    bench.store.commit(vec![put(&k, "before", Expect::Any)]).await?;
    bench.append(&q, &["a", "b"]).await?;
    let claimed = bench.claim(&q, 2).await?;
    let [a, b] = &claimed[..] else {
        must!(false, "both MUST be claimed", "{claimed:?}");
        return Ok(());
    };
    bench.store.commit(vec![Op::Ack(b.receipt.clone())]).await?;
    let ops = vec![
        put(&k, "after", Expect::Any),
        put(&key("new")?, vec![7; 100_000], Expect::Absent),
        Op::Append(Append { dedup: Some(std::time::Duration::from_secs(9)), ..append(&q, "c") }),
        Op::Append(append(&fresh, "d")),
        Op::Increment { key: key("count")?, delta: 1 },
        Op::Ack(a.receipt.clone()),
        // The one that was acknowledged already.
        Op::Ack(b.receipt.clone()),
    ];
    let told = bench.store.commit(ops).await;
    must!(
        told == Err(StoreError::Conflict { op: 6 }),
        "a conflict MUST name its operation",
        "it told {told:?}"
    );
    let traces = [
        (bench.value(&k).await?.as_deref() != Some(b"before"), "a put"),
        (bench.value(&key("new")?).await?.is_some(), "a new key"),
        (bench.value(&key("count")?).await?.is_some(), "a count"),
        (bench.store.depth(q.clone()).await?.entries != 1, "an append or an ack"),
        (bench.store.queues().await? != [q.clone()], "a queue"),
    ];
    for (trace, what) in traces {
        must!(!trace, "a refused commit MUST leave nothing behind", "{what} of it is there");
    }
    let again = Append { dedup: Some(std::time::Duration::from_secs(9)), ..append(&q, "c") };
    let effects = bench.store.commit(vec![Op::Append(again)]).await?;
    must!(
        matches!(effects[..], [Effect::Appended(_)]),
        "a refused commit MUST NOT be remembered for deduplication",
        "the next append gave {effects:?}"
    );
    bench.store.commit(vec![Op::Ack(a.receipt.clone())]).await?;
    Ok(())
}

async fn operations_see_those_before_them(bench: &Bench<'_>) -> Result<(), Broken> {
    let (k, q) = (key("s")?, queue("s")?);
    let bounded = |id| Op::Append(Append { depth_max: Some(1), ..append(&q, id) });
    let ops = vec![
        put(&k, "1", Expect::Absent),
        Op::Increment { key: k.clone(), delta: 1 },
        Op::Delete { key: k.clone(), expect: Expect::Any },
        put(&k, "2", Expect::Absent),
        bounded("a"),
    ];
    let effects = bench.store.commit(ops).await?;
    must!(
        effects.get(1) == Some(&Effect::Sum(2)),
        "each operation MUST see the effects of those before it",
        "the effects are {effects:?}"
    );
    let told = bench.store.commit(vec![bounded("b")]).await;
    must!(
        told == Err(StoreError::Full { queue: "s".into() }),
        "an append beyond `depth_max` MUST be refused as full",
        "it gave {told:?}"
    );
    let claimed = bench.claim_one(&q).await?;
    bench.store.commit(vec![Op::Ack(claimed.receipt), bounded("b")]).await?;
    let other = queue("s2")?;
    let twice = vec![
        Op::Append(Append { depth_max: Some(1), ..append(&other, "a") }),
        Op::Append(Append { depth_max: Some(1), ..append(&other, "b") }),
    ];
    let told = bench.store.commit(twice).await;
    must!(
        told == Err(StoreError::Full { queue: "s2".into() }),
        "`depth_max` MUST count what the same commit appended",
        "it gave {told:?}"
    );
    let entries = bench.store.depth(other).await?.entries;
    must!(entries == 0, "a full queue MUST refuse the whole commit", "{entries} came through");
    Ok(())
}

async fn what_is_too_much_is_refused(bench: &Bench<'_>) -> Result<(), Broken> {
    let k = key("k")?;
    let many = vec![Op::Check { key: k.clone(), expect: Expect::Any }; OPS_MAX + 1];
    let large = vec![put(&k, vec![0; BYTES_MAX + 1], Expect::Any)];
    for ops in [many, large] {
        let told = bench.store.commit(ops).await;
        must!(
            matches!(told, Err(StoreError::Invalid(_))),
            "too many or too large operations MUST be refused as invalid",
            "they gave {told:?}"
        );
    }
    Ok(())
}

/// Backends that write several commits at once must keep them apart.
async fn a_refusal_leaves_its_neighbours_alone(bench: &Bench<'_>) -> Result<(), Broken> {
    let (taken, count, q) = (key("taken")?, key("count")?, queue("n")?);
    bench.store.commit(vec![put(&taken, "x", Expect::Any)]).await?;
    let commits = (0..64_u32).map(|number| {
        let good = number % 2 == 0;
        let expect = if good { Expect::Any } else { Expect::Absent };
        let id = number.to_string();
        let ops = vec![
            Op::Append(append(&q, &id)),
            Op::Increment { key: count.clone(), delta: 1 },
            Op::Check { key: taken.clone(), expect },
        ];
        async move { (good, bench.store.commit(ops).await) }
    });
    for (good, told) in futures_util::future::join_all(commits).await {
        must!(
            told.is_ok() == good,
            "a commit that is refused MUST NOT take others along",
            "one gave {told:?}"
        );
    }
    let entries = bench.store.depth(q).await?.entries;
    let counted = bench.value(&count).await?;
    must!(
        entries == 32 && counted.as_deref() == Some(b"32"),
        "every commit that succeeds MUST be there whole",
        "{entries} entries and the count {counted:?} are there instead of 32"
    );
    Ok(())
}
