//! Leases against a model of them, over long random walks.

use std::time::Duration;

use bytes::Bytes;

use super::{Bench, Broken, cases, key, must, put};
use crate::{Expect, Lease, Leased, Op, StoreError};

cases![leases_do_what_their_model_does];

const WALKS: u64 = 4;
const STEPS: u32 = 150;
const TTL_MS: u64 = 10_000;
const TTL: Duration = Duration::from_millis(TTL_MS);

/// What must be true of one key.
#[derive(Default)]
struct Model {
    now_ms: u64,
    /// The live lease's token, and when it is over.
    held: Option<(u64, u64)>,
    has_value: bool,
    tokens: Vec<u64>,
}

impl Model {
    fn holder(&self) -> Option<u64> {
        self.held.filter(|(_, until)| *until > self.now_ms).map(|(token, _)| token)
    }
}

/// Numbers that look random, the same in each run (Knuth's linear congruential generator).
struct Walk(u64);

impl Walk {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

async fn leases_do_what_their_model_does(bench: &Bench<'_>) -> Result<(), Broken> {
    for walk in 0..WALKS {
        let name = format!("walk-{walk}");
        let (mut model, mut leases) = (Model::default(), Vec::<Lease>::new());
        let mut random = Walk(walk + 1);
        for _ in 0..STEPS {
            match random.below(6) {
                0 | 1 => acquire(bench, &name, &mut model, &mut leases).await?,
                2 => {
                    let step = 1 + random.below(TTL_MS * 2 / 3);
                    bench.clock.advance(step);
                    model.now_ms += step;
                }
                step => {
                    let Some(index) = random.below(8).checked_rem(leases.len() as u64) else {
                        continue;
                    };
                    let lease =
                        leases.iter().rev().nth(usize::try_from(index).unwrap_or(0)).cloned();
                    let Some(lease) = lease else { continue };
                    match step {
                        3 => renew(bench, &lease, &mut model).await?,
                        4 => {
                            bench.store.give_back(&lease).await?;
                            if model.holder() == Some(lease.token) {
                                model.held = None;
                            }
                        }
                        _ => write(bench, &name, &lease, &mut model).await?,
                    }
                }
            }
        }
    }
    Ok(())
}

async fn acquire(
    bench: &Bench<'_>,
    name: &str,
    model: &mut Model,
    leases: &mut Vec<Lease>,
) -> Result<(), Broken> {
    let free = model.holder().is_none() && !model.has_value;
    match bench.store.lease(key(name)?, TTL).await? {
        Leased::Acquired(lease) => {
            must!(free, "a key that is held or has a value MUST NOT be leased", "{lease:?}");
            let known = model.tokens.contains(&lease.token);
            must!(!known, "a lease's token MUST be its own", "{lease:?} was there before");
            model.tokens.push(lease.token);
            model.held = Some((lease.token, model.now_ms + TTL_MS));
            leases.push(lease);
        }
        Leased::Held => {
            must!(model.holder().is_some(), "a free key MUST be leased", "it is said to be held");
        }
        Leased::Present(_) => {
            must!(model.has_value, "a key without a value MUST be leased", "a value is told");
            // The next holder begins anew.
            bench.store.commit(vec![Op::Delete { key: key(name)?, expect: Expect::Any }]).await?;
            model.has_value = false;
        }
    }
    Ok(())
}

async fn renew(bench: &Bench<'_>, lease: &Lease, model: &mut Model) -> Result<(), Broken> {
    let renewed = bench.store.renew(lease, TTL).await?;
    let holds = model.holder() == Some(lease.token);
    must!(renewed == holds, "exactly the live holder MUST renew", "{lease:?}: {renewed}");
    if holds {
        model.held = Some((lease.token, model.now_ms + TTL_MS));
    }
    Ok(())
}

async fn write(
    bench: &Bench<'_>,
    name: &str,
    lease: &Lease,
    model: &mut Model,
) -> Result<(), Broken> {
    let op = put(&key(name)?, Bytes::from_static(b"value"), Expect::Lease(lease.clone()));
    let holds = model.holder() == Some(lease.token) && !model.has_value;
    match bench.store.commit(vec![op]).await {
        Ok(_) => {
            must!(holds, "only the live holder MUST write", "{lease:?} did");
            model.has_value = true;
            model.held = None;
        }
        Err(StoreError::Conflict { .. }) => {
            must!(!holds, "the live holder MUST write", "{lease:?} was refused");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
