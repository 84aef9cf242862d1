//! A script with its arguments.

use std::time::Duration;

use redis::{Cmd, Script};

use crate::{Shared, script};

/// Longer times count as so long: a hundred years.
const MS_MAX: u64 = 100 * 366 * 86_400_000;

/// A call to be. What its methods add are the script's arguments, in order.
pub(crate) struct Call {
    /// The server may have lost it, and is then given it again.
    pub(crate) script: &'static Script,
    pub(crate) command: Cmd,
}

impl Call {
    /// A read.
    pub(crate) fn read(shared: &Shared, what: &str) -> Self {
        Self::of(&script::READ, shared, what)
    }

    /// A write.
    pub(crate) fn write(shared: &Shared, what: &str) -> Self {
        Self::of(&script::WRITE, shared, what)
    }

    /// A write that makes room, or needs next to none.
    pub(crate) fn drain(shared: &Shared, what: &str) -> Self {
        Self::of(&script::DRAIN, shared, what)
    }

    fn of(script: &'static Script, shared: &Shared, what: &str) -> Self {
        let (wall_ms, seen_ms) = shared.time();
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.get_hash()).arg(1).arg(&shared.keys.time);
        let call = Self { script, command };
        call.optional(wall_ms, Self::number).number(seen_ms).with(what)
    }

    /// Adds a text.
    pub(crate) fn with(mut self, text: impl AsRef<[u8]>) -> Self {
        self.command.arg(text.as_ref());
        self
    }

    /// Adds a number.
    pub(crate) fn number(mut self, number: u64) -> Self {
        self.command.arg(number);
        self
    }

    /// Adds a time in milliseconds, rounded up: what was asked to wait never comes early.
    pub(crate) fn duration(self, duration: Duration) -> Self {
        let ms = u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        self.number(ms.min(MS_MAX))
    }

    /// Adds what may be missing.
    pub(crate) fn optional<T>(self, value: Option<T>, add: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => add(self, value),
            None => self.with(""),
        }
    }
}
