//! Who decides which spans are recorded, and where they go. One for the process, as the field has it.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use crate::span::Wanted;
use crate::{Recent, Recording, Span, SpanKind, TraceContext};

static TRACER: OnceLock<Tracer> = OnceLock::new();
static NONE: Tracer = Tracer { sampler: Sampler::never(), export: None, recent: None };

/// Takes spans on their way out. It MUST return at once.
pub trait SpanExport: Send + Sync {
    /// Whether a span that begins now would be taken. It counts those that would not.
    fn has_room(&self) -> bool;

    /// Takes a span that has ended.
    fn export(&self, span: Span);
}

/// Records spans.
#[derive(Default)]
pub struct Tracer {
    /// Which traces are exported.
    pub sampler: Sampler,
    /// Where they go, if they go anywhere.
    pub export: Option<Arc<dyn SpanExport>>,
    /// The last ones, for those who look at this host.
    pub recent: Option<Arc<Recent>>,
}

/// The process's tracer; one that records nothing until [`Tracer::install`].
#[must_use]
pub fn tracer() -> &'static Tracer {
    TRACER.get().unwrap_or(&NONE)
}

impl Tracer {
    /// Makes it the process's. Only the first one counts.
    pub fn install(self) {
        let _ = TRACER.set(self);
    }

    /// Begins a span at a position, if anybody wants it.
    #[must_use]
    pub fn begin(
        &self,
        at: &TraceContext,
        kind: SpanKind,
        name: impl Into<Cow<'static, str>>,
    ) -> Option<Recording> {
        let export = self.export.as_ref().filter(|_| at.is_sampled());
        let exported = export.is_some_and(|export| export.has_room());
        let shown = self.recent.as_ref().is_some_and(|recent| recent.admits(at));
        let wanted = Wanted { exported, shown };
        (exported || shown).then(|| Recording::new(at.clone(), name.into(), kind, wanted))
    }

    pub(crate) fn take(&self, span: Span, wanted: Wanted) {
        let export = self.export.as_ref().filter(|_| wanted.exported);
        match (export, self.recent.as_ref().filter(|_| wanted.shown)) {
            (Some(export), None) => export.export(span),
            (Some(export), Some(recent)) => {
                export.export(span.clone());
                recent.add(span);
            }
            (None, Some(recent)) => recent.add(span),
            (None, None) => {}
        }
    }

    pub(crate) fn samples_root(&self, trace_id: u128) -> bool {
        self.export.is_some() && self.sampler.takes(trace_id)
    }

    pub(crate) fn samples_child(&self, trace_id: u128, parent: bool) -> bool {
        match self.sampler.parent_based {
            true => parent,
            false => self.samples_root(trace_id),
        }
    }
}

/// Which traces are exported: decided at their beginning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// The share of traces that begin here.
    ratio: f64,
    /// Whether traces that began elsewhere go by what was decided there.
    parent_based: bool,
}

impl Default for Sampler {
    fn default() -> Self {
        Self { ratio: 1.0, parent_based: true }
    }
}

impl Sampler {
    const fn never() -> Self {
        Self { ratio: 0.0, parent_based: true }
    }

    /// Takes this share of the traces, all of those that a caller sampled if `parent_based`.
    #[must_use]
    pub fn new(ratio: f64, parent_based: bool) -> Self {
        Self { ratio: ratio.clamp(0.0, 1.0), parent_based }
    }

    /// The lower 63 bits of the id decide, as in other SDKs, so that hosts agree.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a share of 63 bits"
    )]
    fn takes(self, trace_id: u128) -> bool {
        let bound = (self.ratio * (1_u64 << 63) as f64) as u64;
        self.ratio >= 1.0 || (trace_id as u64) >> 1 < bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random_u64;

    #[test]
    fn a_share_of_the_traces_is_taken() {
        let taken = |ratio| {
            let sampler = Sampler::new(ratio, true);
            (0..10_000).filter(|_| sampler.takes(u128::from(random_u64()))).count()
        };
        assert_eq!((taken(0.0), taken(1.0)), (0, 10_000));
        let tenth = taken(0.1);
        assert!((850..1_150).contains(&tenth), "{tenth} of 10,000 for a tenth");
    }

    #[test]
    fn nothing_is_recorded_that_nobody_wants() {
        assert!(NONE.begin(&TraceContext::root(), SpanKind::Server, "x").is_none());
    }
}
