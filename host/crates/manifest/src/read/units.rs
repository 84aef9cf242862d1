//! Durations and sizes, which carry units.

use std::time::Duration;

use bytesize::ByteSize;
use jiff::{Span, SpanRelativeTo};

use super::{Misfit, Text};

impl Text for Duration {
    const WHAT: &'static str = "a duration";
    const EXPECTED: &'static str = "a duration with a unit such as \"5s\" or \"200ms\"";

    fn parse(text: &str) -> Result<Self, Misfit> {
        let span: Span = text.parse().map_err(|_| unit_missing(text, "s"))?;
        let signed = span
            .to_duration(SpanRelativeTo::days_are_24_hours())
            .map_err(|_| Misfit::because("months and years have no fixed length"))?;
        Self::try_from(signed).map_err(|_| Misfit::because("it is negative"))
    }

    fn print(&self) -> String {
        let days = self.as_secs() / 86_400;
        match jiff::SignedDuration::try_from(*self) {
            _ if days > 1 && *self == Self::from_secs(days * 86_400) => format!("{days}d"),
            Ok(signed) => format!("{signed:#}").replace(' ', ""),
            Err(_) => format!("{}s", self.as_secs()),
        }
    }
}

impl Text for ByteSize {
    const WHAT: &'static str = "a size";
    const EXPECTED: &'static str = "a size with a unit such as \"64MiB\" or \"512KiB\"";

    fn parse(text: &str) -> Result<Self, Misfit> {
        if text.ends_with(|c: char| c.is_ascii_digit()) {
            return Err(unit_missing(text, "MiB"));
        }
        text.parse().map_err(|_| Misfit::default())
    }

    fn print(&self) -> String {
        const UNITS: [(u64, &str); 4] =
            [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        let bytes = self.as_u64();
        let fits = |(factor, _): &&(u64, &str)| bytes > 0 && bytes.is_multiple_of(*factor);
        match UNITS.iter().find(fits) {
            Some((factor, unit)) => format!("{}{unit}", bytes / factor),
            None => format!("{bytes}B"),
        }
    }
}

/// A bare number lacks its unit; offer the likely one.
fn unit_missing(text: &str, unit: &str) -> Misfit {
    match text.parse::<u64>() {
        Ok(number) => Misfit {
            reason: Some("it has no unit".to_owned()),
            suggestion: Some(format!("{number}{unit}")),
        },
        Err(_) => Misfit::default(),
    }
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

pub(crate) const fn hours(hours: u64) -> Duration {
    minutes(hours * 60)
}

pub(crate) const fn days(days: u64) -> Duration {
    hours(days * 24)
}

pub(crate) const fn kibibytes(count: u64) -> ByteSize {
    ByteSize::kib(count)
}

pub(crate) const fn mebibytes(count: u64) -> ByteSize {
    ByteSize::mib(count)
}

pub(crate) const fn gibibytes(count: u64) -> ByteSize {
    ByteSize::gib(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        let cases = [
            ("200ms", Some(millis(200))),
            ("1h30m", Some(minutes(90))),
            ("0ms", Some(millis(0))),
            ("4d", Some(days(4))),
            ("10", None),
            ("-1s", None),
            ("1mo", None),
            ("5x", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Duration::parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn sizes() {
        let cases = [
            ("64MiB", Some(mebibytes(64))),
            ("64MB", Some(ByteSize::mb(64))),
            ("1 GiB", Some(gibibytes(1))),
            ("256", None),
            ("1.5", None),
            ("12 potatoes", None),
        ];
        for (text, expected) in cases {
            assert_eq!(ByteSize::parse(text).ok(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_duration_survives_print_and_parse(millis in 0_u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(Duration::parse(&duration.print()).ok(), Some(duration));
        }

        #[test]
        fn a_size_survives_print_and_parse(bytes in 0_u64..u64::MAX) {
            prop_assert_eq!(ByteSize::parse(&ByteSize(bytes).print()).ok(), Some(ByteSize(bytes)));
        }
    }
}
