//! What happens around a call: retry, idempotency, breaker, destinations.

use std::time::Duration;

use bytesize::ByteSize;
use wfh_event::{KeyPart, Target};

use crate::read::{
    Misfit, Node, OneOrMany, Reader, Text, days, hours, mebibytes, millis, seconds, table, words,
};

table! {
    /// How often, and when, a failed call is tried again.
    pub struct Retry: Default {
        /// Tries in all; 1 is no retry.
        attempts: u32 [1..=1_000] = 3,
        /// The waits between tries.
        backoff: Backoff,
        /// The age of an event, since its first attempt, at which it is given up.
        event_age_max: Duration [seconds(1)..=days(365)] = hours(6),
        /// Retry synchronous calls too; needs an idempotency key, and the body is buffered.
        sync: bool = false,
    }
}

table! {
    /// The waits between tries: each is `factor` times the one before.
    #[check(initial_below_max)]
    pub struct Backoff: Default {
        /// The first wait.
        initial: Duration [millis(1)..=hours(24)] = millis(200),
        /// How much longer each wait is than the one before.
        factor: f64 [1.0..=100.0] = 2.0,
        /// The longest wait.
        max: Duration [millis(1)..=days(7)] = seconds(30),
        /// How a wait is spread.
        jitter: Jitter = Jitter::Full,
    }
}

fn initial_below_max(backoff: &Backoff, node: &Node<'_>, reader: &mut Reader<'_>) {
    if backoff.initial > backoff.max {
        let message = format!("{} is more than `max`", backoff.initial.print());
        reader.report_at(node, "initial", message);
    }
}

words! {
    /// How a wait is spread.
    pub enum Jitter {
        /// Anything between nothing and the whole wait.
        Full = "full",
        /// Not at all.
        None = "none",
    }
}

table! {
    /// Makes repeated calls with one key run once.
    pub struct Idempotency {
        /// What the key is made of, one part or several.
        key: OneOrMany<KeyPart>,
        /// Whether a call without a key is refused with 400.
        required: bool = false,
        /// How long a result is kept.
        ttl: Duration [seconds(1)..=days(365)] = hours(24),
        /// The largest body and the largest answer of a call with a key: both are buffered.
        bytes_max: ByteSize [ByteSize(0)..=mebibytes(64)] = mebibytes(1),
    }
}

impl Text for KeyPart {
    const WHAT: &'static str = "a part of a key";
    const EXPECTED: &'static str = "\"header:NAME\", \"attribute:NAME\" or \"json:$.path\"";

    fn parse(text: &str) -> Result<Self, Misfit> {
        let (kind, name) = text.split_once(':').ok_or_else(Misfit::default)?;
        match kind {
            _ if name.is_empty() => Err(Misfit::because("the name is empty")),
            "header" if is_token(name) => Ok(Self::Header(name.to_ascii_lowercase())),
            "attribute" => Ok(Self::Attribute(name.to_owned())),
            "json" => name.parse().map(Self::Json).map_err(Misfit::because),
            _ => Err(Misfit::default()),
        }
    }

    fn print(&self) -> String {
        ToString::to_string(self)
    }
}

/// A token of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

table! {
    /// Stops calling a function that keeps failing.
    pub struct Breaker: Default {
        /// The share of failed calls at which it opens.
        failure_rate: f64 [0.01..=1.0] = 0.5,
        /// The time over which calls are counted.
        window: Duration [millis(100)..=hours(1)] = seconds(10),
        /// Calls in the window below which it never opens.
        calls_min: u32 [1..=1_000_000] = 20,
        /// How long it stays open before one call tries again.
        open_for: Duration [millis(100)..=hours(1)] = seconds(5),
    }
}

table! {
    /// Where results of asynchronous calls go.
    pub struct On: Default {
        /// Where the reply of a successful call goes.
        success: Option<Target>,
        /// Where an event goes that failed for good.
        failure: FailureDestination = FailureDestination::DeadLetter,
    }
}

/// Where an event goes that failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureDestination {
    /// `dead-letter`
    DeadLetter,
    /// Any target.
    Target(Target),
}

const DEAD_LETTER: &str = "dead-letter";

impl Text for FailureDestination {
    const WHAT: &'static str = "a destination";
    const EXPECTED: &'static str =
        "\"dead-letter\", \"queue:NAME\", \"topic:NAME\", \"stream:NAME\" or \"function:NAME\"";

    fn parse(text: &str) -> Result<Self, Misfit> {
        if text == DEAD_LETTER {
            return Ok(Self::DeadLetter);
        }
        text.parse().map(Self::Target).map_err(|error| Misfit {
            reason: text.contains(':').then(|| ToString::to_string(&error)),
            suggestion: crate::diagnostic::nearest(text, [DEAD_LETTER]),
        })
    }

    fn print(&self) -> String {
        match self {
            Self::DeadLetter => DEAD_LETTER.to_owned(),
            Self::Target(target) => target.to_string(),
        }
    }

    fn read_at(&self, node: &Node<'_>, reader: &mut Reader<'_>) {
        if let Self::Target(target) = self {
            target.read_at(node, reader);
        }
    }
}
