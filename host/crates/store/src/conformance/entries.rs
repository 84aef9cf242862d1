//! Entries, claims and receipts.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::{Bench, Broken, PATIENCE, START_MS, ack, append, cases, claim, ids, must, queue};
use crate::{Append, Claim, Depth, Effect, Op, StoreError};

cases![
    entries_come_in_the_order_of_their_appends,
    an_entry_is_what_was_appended,
    a_claim_keeps_to_its_bounds,
    a_lease_that_ran_out_frees_its_entry,
    only_the_newest_receipt_counts,
    an_extended_lease_lasts,
    a_release_gives_back,
    a_removal_ends_an_entry_whoever_holds_it,
    repeats_are_not_appended,
    depth_counts,
    a_peek_pages_and_takes_nothing,
    queues_are_those_that_hold_something,
    claimable_misses_nothing,
    large_bodies_come_whole,
];

async fn entries_come_in_the_order_of_their_appends(bench: &Bench<'_>) -> Result<(), Broken> {
    let (q, other) = (queue("q")?, queue("q2")?);
    bench.append(&q, &["a", "b"]).await?;
    bench.append(&other, &["x"]).await?;
    let effects = bench.append(&q, &["c"]).await?;
    let delayed = Append { delay: Duration::from_secs(5), ..append(&q, "late") };
    bench.store.commit(vec![Op::Append(delayed)]).await?;
    bench.clock.advance(6_000);
    bench.append(&q, &["d"]).await?;
    let claimed = bench.claim(&q, 10).await?;
    must!(
        ids(&claimed) == ["a", "b", "c", "late", "d"],
        "entries MUST be claimed in the order in which they became claimable",
        "they came as {:?}",
        ids(&claimed)
    );
    let seqs: Vec<u64> = claimed.iter().map(|claimed| claimed.entry.seq).collect();
    must!(seqs.is_sorted(), "later appends MUST have greater numbers", "they are {seqs:?}");
    let third = seqs.get(2).copied().map(Effect::Appended);
    must!(effects.first().copied() == third, "an append MUST tell its number", "{effects:?}");
    Ok(())
}

async fn an_entry_is_what_was_appended(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    let whole = Append {
        body: Bytes::from_static(b"\0body"),
        state: Bytes::from_static(b"state"),
        group: Some("g".into()),
        ..append(&q, "id")
    };
    bench.store.commit(vec![Op::Append(whole.clone())]).await?;
    bench.clock.advance(1_000);
    let entry = bench.claim_one(&q).await?.entry;
    let same = entry.id == whole.id
        && entry.body == whole.body
        && entry.state == whole.state
        && entry.group == whole.group;
    must!(same, "an entry MUST be what was appended", "it is {entry:?}");
    must!(
        (entry.appended_at_ms, entry.due_at_ms, entry.receives) == (START_MS, START_MS + 31_000, 1),
        "an entry MUST tell when it came, when its lease is over and how often it was claimed",
        "it tells {entry:?}"
    );
    Ok(())
}

async fn a_claim_keeps_to_its_bounds(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    let sized =
        |id: &str, bytes| Op::Append(Append { body: vec![1; bytes].into(), ..append(&q, id) });
    bench
        .store
        .commit(vec![sized("a", 600), sized("b", 400), sized("c", 1), sized("d", 2_000)])
        .await?;
    let bounded = |bytes_max| Claim { bytes_max, ..claim(10) };
    let mut rounds = Vec::new();
    for _ in 0..3 {
        let claimed = bench.store.claim(q.clone(), bounded(1_000)).await?;
        rounds.push(ids(&claimed).join(""));
    }
    must!(
        rounds == ["ab", "c", "d"],
        "a claim MUST keep to its bytes, and give the first entry whatever it has",
        "claims gave {rounds:?}"
    );
    let none = bench.claim(&queue("nobody")?, 5).await?;
    must!(none.is_empty(), "a claim of an empty queue MUST give nothing", "it gave {none:?}");
    bench.append(&q, &["e", "f"]).await?;
    let zero = bench.claim(&q, 0).await?;
    let one = bench.claim(&q, 1).await?;
    let counts = (zero.len(), one.len());
    must!(counts == (0, 1), "a claim MUST keep to its entries", "of 0 and 1 it gave {counts:?}");
    Ok(())
}

async fn a_lease_that_ran_out_frees_its_entry(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    bench.append(&q, &["a"]).await?;
    let first = bench.claim_one(&q).await?;
    bench.clock.advance(29_999);
    let early = bench.claim(&q, 1).await?;
    must!(early.is_empty(), "an entry MUST never have two holders", "it was claimed: {early:?}");
    bench.clock.advance(1);
    let second = bench.claim_one(&q).await?;
    must!(
        second.entry.receives == 2 && second.receipt.token > first.receipt.token,
        "a later claim MUST have a greater token, and MUST be counted",
        "after {first:?} came {second:?}"
    );
    Ok(())
}

async fn only_the_newest_receipt_counts(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    bench.append(&q, &["a"]).await?;
    let first = bench.claim_one(&q).await?;
    bench.clock.advance(30_000);
    let second = bench.claim_one(&q).await?;
    let release = |receipt| Op::Release { receipt, delay: Duration::ZERO, state: None };
    for op in [Op::Ack(first.receipt.clone()), release(first.receipt.clone())] {
        let told = bench.store.commit(vec![op.clone()]).await;
        must!(
            told == Err(StoreError::Conflict { op: 0 }),
            "a receipt MUST conflict once the entry was claimed again",
            "{op:?} gave {told:?}"
        );
    }
    let receipts = vec![first.receipt.clone(), second.receipt.clone()];
    let extended = bench.store.extend(receipts, Duration::from_secs(30)).await?;
    must!(
        extended == [false, true],
        "only the newest receipt MUST extend, one answer each",
        "the answers are {extended:?}"
    );
    bench.clock.advance(60_000);
    let late = bench.store.commit(ack(&second)).await;
    must!(
        late.is_ok(),
        "a lease that ran out MUST be no conflict as long as nobody claimed the entry again",
        "it gave {late:?}"
    );
    let told = bench.store.commit(ack(&second)).await;
    must!(
        told == Err(StoreError::Conflict { op: 0 }),
        "an entry MUST be acknowledged only once",
        "the second time gave {told:?}"
    );
    Ok(())
}

async fn an_extended_lease_lasts(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    bench.append(&q, &["a"]).await?;
    let claimed = bench.claim_one(&q).await?;
    bench.clock.advance(20_000);
    bench.store.extend(vec![claimed.receipt.clone()], Duration::from_secs(30)).await?;
    bench.clock.advance(29_000);
    let early = bench.claim(&q, 1).await?;
    must!(early.is_empty(), "an extended lease MUST last from now", "{early:?} was claimed");
    bench.store.extend(vec![claimed.receipt.clone()], Duration::from_millis(1)).await?;
    bench.clock.advance(1);
    let again = bench.claim_one(&q).await?;
    must!(again.entry.receives == 2, "a lease MUST be shortened too", "{again:?}");
    Ok(())
}

async fn a_release_gives_back(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    bench.append(&q, &["a", "b"]).await?;
    let claimed = bench.claim_one(&q).await?;
    let (delay, state) = (Duration::from_secs(5), Some("tried".into()));
    let release = Op::Release { receipt: claimed.receipt.clone(), delay, state };
    bench.store.commit(vec![release.clone()]).await?;
    let told = bench.store.commit(vec![release]).await;
    must!(told.is_err(), "a released claim MUST be over", "it was released again");
    let next = bench.claim(&q, 5).await?;
    must!(ids(&next) == ["b"], "a released entry MUST wait for its delay", "{next:?} came");
    bench.clock.advance(5_000);
    let again = bench.claim_one(&q).await?;
    must!(
        again.entry.receives == 1 && again.entry.state == "tried" && again.entry.body == "a",
        "a release MUST not count the claim, MUST set the state and MUST keep the body",
        "the entry is {:?}",
        again.entry
    );
    let receipt = again.receipt;
    bench.store.commit(vec![Op::Release { receipt, delay: Duration::ZERO, state: None }]).await?;
    let third = bench.claim_one(&q).await?;
    must!(third.entry.state == "tried", "a release MUST keep the state", "{:?}", third.entry);
    Ok(())
}

async fn a_removal_ends_an_entry_whoever_holds_it(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    bench.append(&q, &["a", "b"]).await?;
    let claimed = bench.claim_one(&q).await?;
    let seq = claimed.entry.seq;
    let remove = |seq| Op::Remove { queue: q.clone(), seq };
    let effects = bench.store.commit(vec![remove(seq), remove(seq), remove(seq + 1)]).await?;
    must!(
        effects == [Effect::Removed(true), Effect::Removed(false), Effect::Removed(true)],
        "a removal MUST take claimed and waiting entries, once",
        "it gave {effects:?}"
    );
    let told = bench.store.commit(ack(&claimed)).await;
    must!(told.is_err(), "a removed entry MUST NOT be acknowledged", "it was");
    Ok(())
}

async fn repeats_are_not_appended(bench: &Bench<'_>) -> Result<(), Broken> {
    let (q, other) = (queue("q")?, queue("q2")?);
    let once = |queue, id| {
        Op::Append(Append { dedup: Some(Duration::from_secs(60)), ..append(queue, id) })
    };
    let effects = bench.store.commit(vec![once(&q, "a"), once(&q, "a"), once(&other, "a")]).await?;
    must!(
        matches!(effects[..], [Effect::Appended(_), Effect::Duplicate, Effect::Appended(_)]),
        "an id MUST be appended once within its time, in each queue",
        "the effects are {effects:?}"
    );
    let claimed = bench.claim_one(&q).await?;
    bench.store.commit(ack(&claimed)).await?;
    bench.clock.advance(59_999);
    let effects = bench.store.commit(vec![once(&q, "a")]).await?;
    must!(
        effects == [Effect::Duplicate],
        "an id MUST be remembered when its entry is gone",
        "the effect is {effects:?}"
    );
    bench.clock.advance(1);
    let effects = bench.store.commit(vec![once(&q, "a")]).await?;
    must!(
        matches!(effects[..], [Effect::Appended(_)]),
        "an id MUST be appended again after its time",
        "the effect is {effects:?}"
    );
    let plain = bench.append(&q, &["a", "a"]).await?;
    let appended = plain.iter().all(|effect| matches!(effect, Effect::Appended(_)));
    must!(appended, "without deduplication a repeat MUST be appended", "{plain:?}");
    Ok(())
}

async fn depth_counts(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    let empty = bench.store.depth(q.clone()).await?;
    must!(empty == Depth::default(), "an empty queue MUST have no depth", "it has {empty:?}");
    bench.append(&q, &["aaa", "bb"]).await?;
    bench.clock.advance(1_000);
    bench.append(&q, &["c"]).await?;
    let claimed = bench.claim(&q, 2).await?;
    let depth = bench.store.depth(q.clone()).await?;
    let wanted = Depth { entries: 3, bytes: 6, claimed: 2, oldest_at_ms: Some(START_MS) };
    must!(depth == wanted, "depth MUST count claimed entries too", "it is {depth:?}");
    for claimed in &claimed {
        bench.store.commit(ack(claimed)).await?;
    }
    let depth = bench.store.depth(q.clone()).await?;
    let oldest_at_ms = Some(START_MS + 1_000);
    let wanted = Depth { entries: 1, bytes: 1, claimed: 0, oldest_at_ms };
    must!(depth == wanted, "depth MUST forget what is gone", "it is {depth:?}");
    bench.claim_one(&q).await?;
    bench.clock.advance(30_000);
    let claimed = bench.store.depth(q).await?.claimed;
    must!(claimed == 0, "a lease that ran out MUST NOT count as claimed", "{claimed} do");
    Ok(())
}

async fn a_peek_pages_and_takes_nothing(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    bench.append(&q, &["a", "b", "c"]).await?;
    let delayed = Append { delay: Duration::from_secs(9), ..append(&q, "d") };
    bench.store.commit(vec![Op::Append(delayed)]).await?;
    bench.claim_one(&q).await?;
    let mut seen = Vec::new();
    let mut after = None;
    for _ in 0..4 {
        let page = bench.store.peek(q.clone(), after, 3).await?;
        must!(page.len() <= 3, "a page MUST have at most `limit` entries", "{}", page.len());
        after = page.last().map(|entry| entry.seq).or(after);
        seen.extend(page.into_iter().map(|entry| (entry.id, entry.due_at_ms - START_MS)));
    }
    let wanted = [("a", 30_000), ("b", 0), ("c", 0), ("d", 9_000)];
    let wanted: Vec<(String, u64)> =
        wanted.into_iter().map(|(id, due_ms)| (id.to_owned(), due_ms)).collect();
    must!(
        seen == wanted,
        "a peek MUST show every entry by number, claimed and delayed ones too, and when it is due",
        "it showed {seen:?}"
    );
    let left = bench.claim(&q, 9).await?;
    must!(ids(&left) == ["b", "c"], "a peek MUST take nothing", "{left:?} are left");
    Ok(())
}

async fn queues_are_those_that_hold_something(bench: &Bench<'_>) -> Result<(), Broken> {
    let (a, b) = (queue("a")?, queue("b")?);
    bench.append(&b, &["x"]).await?;
    bench.append(&a, &["x"]).await?;
    let seen = bench.store.queues().await?;
    must!(seen == [a.clone(), b.clone()], "queues MUST be listed by name", "{seen:?}");
    let claimed = bench.claim_one(&b).await?;
    bench.store.commit(ack(&claimed)).await?;
    let seen = bench.store.queues().await?;
    must!(seen == [a], "a queue exists while it has entries", "{seen:?} are listed");
    Ok(())
}

/// Whatever makes an entry claimable must wake one that waits already.
async fn claimable_misses_nothing(bench: &Bench<'_>) -> Result<(), Broken> {
    const WAKES: &str = "`claimable` MUST NOT miss that something is there";
    let q = queue("q")?;
    let missed = |what: &str| Broken { must: WAKES, seen: format!("it did not see {what}") };
    let idle = timeout(Duration::from_millis(50), bench.store.claimable(q.clone())).await;
    must!(idle.is_err(), "`claimable` MUST wait while nothing is there", "it did not");
    for what in ["an append", "what is there", "a release", "a lease that is over", "a delay"] {
        let waiting = bench.store.claimable(q.clone());
        let act = async {
            // Time for the other one to wait; it may be too short, and then it sees at once.
            tokio::time::sleep(Duration::from_millis(30)).await;
            match what {
                "an append" => drop(bench.append(&q, &["a"]).await?),
                "a release" => {
                    let claimed = bench.store.peek(q.clone(), None, 1).await?;
                    must!(claimed.len() == 1, "an entry MUST stay while claimed", "{claimed:?}");
                }
                "a lease that is over" => bench.clock.advance(30_000),
                "a delay" => bench.clock.advance(60_000),
                _ => {}
            }
            Ok::<(), Broken>(())
        };
        let both = async { tokio::join!(waiting, act) };
        let (woken, acted) = match what {
            "a release" => {
                let claimed = bench.claim_one(&q).await?;
                let delay = Duration::ZERO;
                let release = Op::Release { receipt: claimed.receipt, delay, state: None };
                let later = async {
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    bench.store.commit(vec![release]).await
                };
                let waiting = bench.store.claimable(q.clone());
                let both = async { tokio::join!(waiting, later) };
                let (woken, released) = timeout(PATIENCE, both).await.map_err(|_| missed(what))?;
                released?;
                // Then claim it, for the lease that is over.
                bench.claim_one(&q).await?;
                (woken, Ok(()))
            }
            _ => timeout(PATIENCE, both).await.map_err(|_| missed(what))?,
        };
        woken?;
        acted?;
        if what == "a lease that is over" {
            let claimed = bench.claim_one(&q).await?;
            let delay = Duration::from_secs(60);
            let release = Op::Release { receipt: claimed.receipt, delay, state: None };
            bench.store.commit(vec![release]).await?;
        }
    }
    Ok(())
}

async fn large_bodies_come_whole(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    let body: Bytes = vec![42; 1 << 20].into();
    let large = |id: &str| Op::Append(Append { body: body.clone(), ..append(&q, id) });
    bench.store.commit(vec![large("a"), large("b"), Op::Append(append(&q, "c"))]).await?;
    let a = bench.claim_one(&q).await?;
    bench.store.commit(ack(&a)).await?;
    let peeked = bench.store.peek(q.clone(), None, 5).await?;
    let rest = bench.claim(&q, 5).await?;
    let whole = |bodies: Vec<&Bytes>| bodies == [&body, &Bytes::from_static(b"c")];
    must!(
        a.entry.body == body
            && whole(peeked.iter().map(|entry| &entry.body).collect())
            && whole(rest.iter().map(|claimed| &claimed.entry.body).collect()),
        "a body of a mebibyte MUST come whole, also when one of the same bytes is gone",
        "{} peeked, {} claimed",
        peeked.len(),
        rest.len()
    );
    Ok(())
}
