//! When a schedule fires.

use std::fmt;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use thiserror::Error;

/// Points in time.
#[derive(Debug, Clone)]
pub enum When {
    /// At the times a cron expression names, in a time zone. Where the clocks skip a time it fires
    /// at the end of the gap; a time that comes twice fires once, unless the expression names a
    /// whole range of it.
    Cron {
        /// The expression.
        cron: Box<Cron>,
        /// The zone.
        zone: TimeZone,
        /// Both as they were written.
        text: String,
    },
    /// Again and again, counted from the first time.
    Every(Duration),
}

/// Why something is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WhenError {
    /// The expression.
    #[error("`{0}` is not a cron expression: {1}")]
    Cron(String, String),
    /// The time zone.
    #[error("`{0}` is not a time zone of the IANA database")]
    Zone(String),
    /// It never fires.
    #[error("`{0}` names no point in time")]
    Never(String),
}

impl When {
    /// Parses a cron expression of five fields, or six with seconds first.
    ///
    /// # Errors
    /// It is none, its zone is none, or it never fires.
    pub fn cron(expression: &str, timezone: Option<&str>) -> Result<Self, WhenError> {
        let invalid =
            |error: &dyn fmt::Display| WhenError::Cron(expression.to_owned(), error.to_string());
        let parser = CronParser::builder().seconds(Seconds::Optional).build();
        let cron = Box::new(parser.parse(expression).map_err(|error| invalid(&error))?);
        let name = timezone.unwrap_or("UTC");
        let zone = TimeZone::get(name).map_err(|_| WhenError::Zone(name.to_owned()))?;
        let when = Self::Cron { cron, zone, text: format!("{expression} {name}") };
        match when.after(0) {
            Some(_) => Ok(when),
            None => Err(WhenError::Never(expression.to_owned())),
        }
    }

    /// The first point in time after `ms`, in milliseconds since 1970. `None`: there is none.
    #[must_use]
    pub fn after(&self, ms: u64) -> Option<u64> {
        match self {
            Self::Cron { cron, zone, .. } => {
                let from = Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
                let next = cron.find_next_occurrence(&from.to_zoned(zone.clone()), false).ok()?;
                u64::try_from(next.timestamp().as_millisecond()).ok()
            }
            Self::Every(every) => ms.checked_add(u64::try_from(every.as_millis()).ok()?),
        }
    }
}

/// Tells two schedules apart: another text is another schedule.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron { text, .. } => write!(f, "cron {text}"),
            Self::Every(every) => write!(f, "every {}ms", every.as_millis()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let when = When::cron(expression, Some(zone)).unwrap();
        let from: Timestamp = from.parse().unwrap();
        let mut at = u64::try_from(from.as_millisecond()).unwrap();
        let mut found = Vec::new();
        for _ in 0..count {
            at = when.after(at).unwrap();
            let next = Timestamp::from_millisecond(i64::try_from(at).unwrap()).unwrap();
            found.push(next.to_string());
        }
        found
    }

    #[test]
    fn five_and_six_fields_in_a_zone() {
        assert_eq!(
            times("*/5 * * * *", "UTC", "2026-01-01T00:03:00Z", 2),
            ["2026-01-01T00:05:00Z", "2026-01-01T00:10:00Z"]
        );
        assert_eq!(
            times("*/10 * * * * *", "UTC", "2026-01-01T00:00:05Z", 1),
            ["2026-01-01T00:00:10Z"]
        );
        assert_eq!(
            times("0 9 * * *", "Asia/Tokyo", "2026-01-01T00:30:00Z", 1),
            ["2026-01-02T00:00:00Z"]
        );
    }

    #[test]
    fn a_skipped_time_fires_at_the_end_of_the_gap_and_a_repeated_one_once() {
        // Berlin skips 02:00 to 03:00 on 2026-03-29 and has it twice on 2026-10-25.
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        assert_eq!(
            times("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 4),
            [
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-25T02:00:00Z"
            ]
        );
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        assert!(matches!(When::cron("61 * * * *", None), Err(WhenError::Cron(..))));
        assert!(matches!(When::cron("* * * * *", Some("Mars/Base")), Err(WhenError::Zone(_))));
        assert!(matches!(
            When::cron("0 0 30 2 *", None),
            Err(WhenError::Never(_) | WhenError::Cron(..))
        ));
    }
}
