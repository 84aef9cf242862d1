//! Leases of keys, and a clock that steps.

use std::time::Duration;

use bytes::Bytes;

use super::{Bench, Broken, START_MS, append, cases, ids, key, must, put, queue};
use crate::{Append, Effect, Expect, Lease, Leased, Op, StoreError};

cases![
    a_lease_keeps_others_out_for_its_time,
    a_lease_is_given_back_only_by_its_holder,
    a_commit_under_a_lease_is_fenced,
    a_key_with_a_value_has_no_lease,
    a_step_back_hides_and_revives_nothing,
    a_step_forward_ends_what_is_over,
];

const TTL: Duration = Duration::from_secs(10);

async fn acquire(bench: &Bench<'_>, name: &str) -> Result<Lease, Broken> {
    match bench.store.lease(key(name)?, TTL).await? {
        Leased::Acquired(lease) => Ok(lease),
        other => Err(Broken { must: "a free key MUST be leased", seen: format!("{other:?}") }),
    }
}

async fn a_lease_keeps_others_out_for_its_time(bench: &Bench<'_>) -> Result<(), Broken> {
    let first = acquire(bench, "k").await?;
    bench.clock.advance(9_999);
    let held = bench.store.lease(key("k")?, TTL).await?;
    must!(held == Leased::Held, "there MUST never be two live leases", "{held:?}");
    must!(bench.store.renew(&first, TTL).await?, "a live lease MUST be renewed", "it was not");
    bench.clock.advance(9_999);
    let held = bench.store.lease(key("k")?, TTL).await?;
    must!(held == Leased::Held, "a renewed lease MUST last from now", "{held:?}");
    bench.clock.advance(1);
    let renewed = bench.store.renew(&first, TTL).await?;
    must!(!renewed, "a lease that is over MUST NOT be renewed", "it was");
    let second = acquire(bench, "k").await?;
    must!(second.token != first.token, "a lease's token MUST be its own", "both are {second:?}");
    let renewed = bench.store.renew(&first, TTL).await?;
    must!(!renewed, "only the holder MUST renew a lease", "the one before did");
    Ok(())
}

async fn a_lease_is_given_back_only_by_its_holder(bench: &Bench<'_>) -> Result<(), Broken> {
    let first = acquire(bench, "k").await?;
    bench.store.give_back(&first).await?;
    let second = acquire(bench, "k").await?;
    bench.store.give_back(&first).await?;
    let held = bench.store.lease(key("k")?, TTL).await?;
    must!(held == Leased::Held, "somebody else's lease MUST be left alone", "{held:?}");
    bench.store.give_back(&second).await?;
    acquire(bench, "k").await?;
    Ok(())
}

async fn a_commit_under_a_lease_is_fenced(bench: &Bench<'_>) -> Result<(), Broken> {
    let k = key("k")?;
    let first = acquire(bench, "k").await?;
    bench.clock.advance(10_000);
    let under = |lease: &Lease, text: &'static str| {
        vec![put(&k, Bytes::from_static(text.as_bytes()), Expect::Lease(lease.clone()))]
    };
    let late = bench.store.commit(under(&first, "late")).await;
    must!(
        late == Err(StoreError::Conflict { op: 0 }),
        "a lease that is over MUST NOT let a commit through",
        "it gave {late:?}"
    );
    let second = acquire(bench, "k").await?;
    let zombie = bench.store.commit(under(&first, "zombie")).await;
    must!(zombie.is_err(), "a holder that was too slow MUST be told by a conflict", "{zombie:?}");
    let other = key("other")?;
    let stray = put(&other, "x", Expect::Lease(second.clone()));
    let stray = bench.store.commit(vec![stray]).await;
    must!(stray.is_err(), "a lease MUST be good for its own key only", "{stray:?}");
    // A commit that fails later on must leave the lease as it was.
    let mut ops = under(&second, "half");
    ops.push(Op::Check { key: other, expect: Expect::Version(1) });
    let half = bench.store.commit(ops).await;
    must!(half.is_err(), "a wrong version MUST conflict", "{half:?}");
    let held = bench.store.lease(k.clone(), TTL).await?;
    must!(held == Leased::Held, "a refused commit MUST NOT end a lease", "{held:?}");
    let renewed = bench.store.renew(&second, TTL).await?;
    must!(renewed, "a refused commit MUST leave the lease to its holder", "it is gone");
    bench.store.commit(under(&second, "won")).await?;
    let seen = bench.value(&k).await?;
    must!(seen.as_deref() == Some(b"won"), "the holder MUST write", "{seen:?} is there");
    let renewed = bench.store.renew(&second, TTL).await?;
    must!(!renewed, "a commit that wrote the key MUST end its lease", "it is live");
    Ok(())
}

async fn a_key_with_a_value_has_no_lease(bench: &Bench<'_>) -> Result<(), Broken> {
    let k = key("k")?;
    let lease = acquire(bench, "k").await?;
    // Written by somebody who does not care for the lease.
    bench.store.commit(vec![put(&k, "v", Expect::Any)]).await?;
    let present = bench.store.lease(k.clone(), TTL).await?;
    must!(
        matches!(&present, Leased::Present(value) if value.bytes == "v"),
        "a key that has a value MUST NOT be leased",
        "{present:?}"
    );
    let under = put(&k, "mine", Expect::Lease(lease));
    let told = bench.store.commit(vec![under]).await;
    must!(told.is_err(), "a written key's lease MUST be over", "it let a commit through");
    let delete = Op::Delete { key: k.clone(), expect: Expect::Any };
    bench.store.commit(vec![delete]).await?;
    acquire(bench, "k").await?;
    Ok(())
}

async fn a_step_back_hides_and_revives_nothing(bench: &Bench<'_>) -> Result<(), Broken> {
    let (q, over) = (queue("q")?, key("over")?);
    let timed = |name: &str, seconds| {
        let ttl = Some(Duration::from_secs(seconds));
        Ok::<Op, Broken>(Op::Put { key: key(name)?, bytes: "x".into(), expect: Expect::Any, ttl })
    };
    bench.store.commit(vec![timed("over", 5)?, timed("live", 60)?]).await?;
    bench.append(&q, &["a", "b"]).await?;
    let delayed = Append { delay: Duration::from_secs(20), ..append(&q, "late") };
    bench.store.commit(vec![Op::Append(delayed)]).await?;
    bench.clock.advance(10_000);
    let a = bench.claim_one(&q).await?;
    acquire(bench, "leased").await?;
    bench.clock.set(START_MS - 3_600_000);
    must!(
        bench.value(&over).await?.is_none(),
        "a step back MUST NOT revive what was over",
        "a value is there again"
    );
    bench.append(&q, &["c"]).await?;
    let claimed = bench.claim(&q, 5).await?;
    must!(
        ids(&claimed) == ["b", "c"],
        "a step back MUST NOT hide what was claimable, nor free what is claimed",
        "{:?} came",
        ids(&claimed)
    );
    let held = bench.store.lease(key("leased")?, TTL).await?;
    must!(held == Leased::Held, "a step back MUST NOT free a lease", "{held:?}");
    bench.clock.advance(10_000);
    let held = bench.store.lease(key("leased")?, TTL).await?;
    must!(
        matches!(held, Leased::Acquired(_)),
        "after a step back time MUST go on: a lease ends when its time is over",
        "{held:?}"
    );
    let late = bench.claim_one(&q).await?;
    must!(late.entry.id == "late", "a delay MUST end by its length", "{:?}", late.entry.id);
    bench.clock.advance(20_000);
    let again = bench.claim_one(&q).await?;
    must!(
        again.entry.id == "a" && again.receipt.token > a.receipt.token,
        "a claim MUST end by its length",
        "{again:?}"
    );
    bench.clock.advance(20_000);
    let live = bench.value(&key("live")?).await?;
    must!(live.is_none(), "a value MUST end by its length", "it is there");
    Ok(())
}

async fn a_step_forward_ends_what_is_over(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    bench.append(&q, &["a"]).await?;
    let first = bench.claim_one(&q).await?;
    bench.clock.advance(86_400_000);
    let second = bench.claim_one(&q).await?;
    let told = bench.store.commit(vec![Op::Ack(first.receipt)]).await;
    must!(told.is_err(), "the holder before MUST be fenced off", "it acknowledged");
    let effects = bench.store.commit(vec![Op::Ack(second.receipt)]).await?;
    must!(effects == [Effect::Done], "the new holder MUST acknowledge", "{effects:?}");
    Ok(())
}
