//! Entries that come one at a time.

use std::time::Duration;

use super::{Bench, Broken, ack, append, cases, ids, must, queue};
use crate::{Append, Op, QueueKey};

cases![
    only_the_head_of_a_group_is_claimable,
    a_delayed_head_hides_its_group,
    a_removed_head_makes_way,
    a_released_head_stays_the_head,
    groups_do_not_wait_for_each_other,
];

fn grouped(queue: &QueueKey, group: &str, id: &str) -> Append {
    Append { group: Some(group.to_owned()), ..append(queue, id) }
}

async fn only_the_head_of_a_group_is_claimable(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    let names = [("g", "g1"), ("g", "g2"), ("h", "h1"), ("g", "g3"), ("h", "h2")];
    let ops = names.iter().map(|(group, id)| Op::Append(grouped(&q, group, id))).collect();
    bench.store.commit(ops).await?;
    bench.append(&q, &["free"]).await?;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let claimed = bench.claim(&q, 10).await?;
        let mut round: Vec<String> = ids(&claimed).into_iter().map(str::to_owned).collect();
        round.sort_unstable();
        let more = bench.claim(&q, 10).await?;
        must!(more.is_empty(), "a claimed head MUST hide its group", "{:?} came", ids(&more));
        seen.push(round.join(" "));
        for claimed in &claimed {
            bench.store.commit(ack(claimed)).await?;
        }
    }
    must!(
        seen == ["free g1 h1", "g2 h2", "g3"],
        "entries of a group MUST be claimed one at a time, in order",
        "they came as {seen:?}"
    );
    Ok(())
}

async fn a_delayed_head_hides_its_group(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    let late = Append { delay: Duration::from_secs(10), ..grouped(&q, "g", "late") };
    bench.store.commit(vec![Op::Append(late), Op::Append(grouped(&q, "g", "next"))]).await?;
    let early = bench.claim(&q, 10).await?;
    must!(early.is_empty(), "a delayed head MUST hide its group", "{:?} came", ids(&early));
    bench.clock.advance(10_000);
    let late = bench.claim_one(&q).await?;
    must!(late.entry.id == "late", "the head MUST come first", "{:?} came", late.entry.id);
    bench.store.commit(ack(&late)).await?;
    let next = bench.claim_one(&q).await?;
    must!(next.entry.id == "next", "the next MUST follow", "{:?} came", next.entry.id);
    // One that waits in its own right waits on when it is the head.
    let slow = Append { delay: Duration::from_secs(10), ..grouped(&q, "g", "slow") };
    bench.store.commit(vec![Op::Append(slow)]).await?;
    bench.store.commit(ack(&next)).await?;
    let early = bench.claim(&q, 10).await?;
    must!(early.is_empty(), "a new head MUST wait for its own delay", "{:?}", ids(&early));
    bench.clock.advance(10_000);
    bench.claim_one(&q).await?;
    Ok(())
}

async fn a_removed_head_makes_way(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    let ids = ["a", "b", "c"];
    let ops = ids.iter().map(|id| Op::Append(grouped(&q, "g", id))).collect();
    bench.store.commit(ops).await?;
    let a = bench.claim_one(&q).await?;
    let b = a.entry.seq + 1;
    let remove = |seq| Op::Remove { queue: q.clone(), seq };
    // One that is not the head goes: the head still hides the rest.
    bench.store.commit(vec![remove(b)]).await?;
    let more = bench.claim(&q, 5).await?;
    must!(more.is_empty(), "a claimed head MUST hide its group", "{more:?} came");
    bench.store.commit(vec![remove(a.entry.seq)]).await?;
    let c = bench.claim_one(&q).await?;
    must!(c.entry.id == "c", "when the head is removed the next MUST follow", "{:?}", c.entry.id);
    Ok(())
}

async fn a_released_head_stays_the_head(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    bench
        .store
        .commit(vec![Op::Append(grouped(&q, "g", "a")), Op::Append(grouped(&q, "g", "b"))])
        .await?;
    let receipt = bench.claim_one(&q).await?.receipt;
    let delay = Duration::from_secs(10);
    bench.store.commit(vec![Op::Release { receipt, delay, state: None }]).await?;
    let early = bench.claim(&q, 5).await?;
    must!(early.is_empty(), "a released head MUST hide its group", "{:?} came", ids(&early));
    bench.clock.advance(10_000);
    let claimed = bench.claim(&q, 5).await?;
    must!(ids(&claimed) == ["a"], "a released head MUST come again", "{:?} came", ids(&claimed));
    bench.clock.advance(30_000);
    let claimed = bench.claim(&q, 5).await?;
    must!(
        ids(&claimed) == ["a"],
        "a head whose lease ran out MUST come again",
        "{:?} came",
        ids(&claimed)
    );
    Ok(())
}

async fn groups_do_not_wait_for_each_other(bench: &Bench<'_>) -> Result<(), Broken> {
    let q = queue("q")?;
    let many = (0..50).map(|number| Op::Append(grouped(&q, "busy", &number.to_string())));
    let other = [Op::Append(grouped(&q, "calm", "calm"))];
    bench.store.commit(many.chain(other).collect()).await?;
    let claimed = bench.claim(&q, 2).await?;
    must!(
        ids(&claimed) == ["0", "calm"],
        "hidden entries MUST NOT stand in the way of other groups",
        "{:?} came",
        ids(&claimed)
    );
    let busy: Vec<Op> = claimed.first().map(ack).unwrap_or_default();
    bench.clock.advance(10);
    bench.store.commit(busy).await?;
    bench.append(&q, &["plain"]).await?;
    let claimed = bench.claim(&q, 2).await?;
    must!(
        ids(&claimed) == ["1", "plain"],
        "what its group hid MUST become claimable when it is the first",
        "{:?} came",
        ids(&claimed)
    );
    Ok(())
}
