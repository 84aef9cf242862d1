//! A record as its source gave it.

use wfh_invoke::{Item, Progress};

/// What a source gives, and how it is read.
pub trait Raw: Send + Sync + 'static {
    /// The event that it is, and how many functions it has come through. It is read again for each
    /// try, so it MUST give the same each time.
    fn item(&self) -> (Item, u8);

    /// How many bytes it counts for in a batch.
    fn bytes(&self) -> u64;
}

/// A record on its way.
#[derive(Debug)]
pub struct Record<R> {
    /// Its position in its shard: later ones have greater ones.
    pub position: u128,
    /// Records of one lane are given to the target in order; those without one in any.
    pub lane: Option<u64>,
    /// How often the source gave it before without being told of an end. Above a few times it runs
    /// alone, and its tries count when they begin: it may be what crashes the host.
    pub received: u32,
    /// What the source gave.
    pub raw: R,
    pub(crate) progress: Progress,
}

impl<R> Record<R> {
    /// From this number of deliveries without an end on, a record may be what crashes the host.
    const SUSPECT: u32 = 3;

    pub(crate) fn is_suspect(&self) -> bool {
        self.received >= Self::SUSPECT
    }

    /// A record that was not tried yet, as far as the source knows.
    pub fn new(position: u128, lane: Option<u64>, received: u32, raw: R) -> Self {
        Self { position, lane, received, raw, progress: Progress::default() }
    }
}

/// A record that its source may forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Its position.
    pub position: u128,
    /// Whether the store says so as well. Once the source has forgotten it,
    /// [`crate::Marks::acknowledged`] must be told.
    pub marked: bool,
}

/// Who acknowledges at the source.
pub trait Settle: Send + Sync {
    /// Takes note of records that are settled, in any order. It MUST NOT block.
    fn settled(&self, records: &[Settled]);
}
