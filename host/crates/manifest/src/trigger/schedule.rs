//! `[[trigger.schedule]]`

use std::time::Duration;

use croner::parser::{CronParser, Seconds};
use jiff::tz::TimeZoneDatabase;
use serde_json::Value as Json;
use wfh_event::{Target, TriggerName};

use super::TriggerKind;
use crate::read::{Either, Misfit, Node, Reader, Text, Value, days, either, millis, table, words};

/// Points in time.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleTrigger {
    given_name: Option<TriggerName>,
    /// When.
    pub schedule: Schedule,
    /// What happens after points in time at which the host did not run.
    pub missed: Missed,
    /// What is called.
    pub target: Target,
    /// The path of the request that an HTTP function gets.
    pub path: String,
}

/// When a schedule fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// At the times a cron expression names.
    Cron {
        /// Five fields, or six with seconds first.
        expression: String,
        /// The IANA time zone; UTC without it.
        timezone: Option<String>,
    },
    /// Again and again.
    Every(Duration),
}

table! {
    /// Points in time.
    struct RawScheduleTrigger {
        /// Keys the trigger's durable state; derived from the target without it.
        name: Option<TriggerName>,
        /// A cron expression of five fields, or six with seconds first; or `every`.
        cron: Option<Cron>,
        /// The time zone of `cron`, such as `Europe/Berlin`; UTC without it.
        timezone: Option<Timezone>,
        /// The time from one call to the next; or `cron`.
        every: Option<Duration> [millis(100)..=days(365)],
        /// What happens after points in time at which the host did not run.
        missed: Missed = Missed::Once,
        /// What is called.
        target: Target,
        /// The path of the request that an HTTP function gets.
        path: String = "/".to_owned(),
    }
}

words! {
    /// What happens after points in time at which the host did not run.
    pub enum Missed {
        /// Nothing.
        Skip = "skip",
        /// One call for all of them.
        Once = "once",
        /// One call each.
        All = "all",
    }
}

impl Value for ScheduleTrigger {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let raw = RawScheduleTrigger::read(node, reader)?;
        let timezone = raw.timezone.map(|timezone| timezone.0);
        let schedule = match either(node, ["cron", "every"], (raw.cron, raw.every), reader)? {
            Either::First(Cron(expression)) => Schedule::Cron { expression, timezone },
            Either::Second(every) => {
                if timezone.is_some() {
                    reader.report_at(node, "timezone", "only `cron` has a time zone");
                }
                Schedule::Every(every)
            }
        };
        let (given_name, missed) = (raw.name, raw.missed);
        Some(Self { given_name, schedule, missed, target: raw.target, path: raw.path })
    }

    fn schema() -> Json {
        RawScheduleTrigger::schema()
    }
}

impl TriggerKind for ScheduleTrigger {
    fn given_name(&self) -> Option<&TriggerName> {
        self.given_name.as_ref()
    }

    fn derived_name(&self) -> String {
        self.target.to_string()
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Cron(String);

impl Text for Cron {
    const WHAT: &'static str = "a cron expression";
    const EXPECTED: &'static str = "five fields such as \"*/5 * * * *\", or six with seconds first";

    fn parse(text: &str) -> Result<Self, Misfit> {
        match text.split_whitespace().count() {
            5 | 6 => {}
            fields => return Err(Misfit::because(format!("it has {fields} fields"))),
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).build();
        let cron = parser.parse(text).map_err(Misfit::because)?;
        // From any time: one that never fires does not fire after this one either.
        let from = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
        match cron.find_next_occurrence(&from, false) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(Misfit::because("it names no point in time")),
        }
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Timezone(String);

impl Text for Timezone {
    const WHAT: &'static str = "a time zone";
    const EXPECTED: &'static str =
        "a name of the IANA time zone database such as \"Europe/Berlin\"";

    fn parse(text: &str) -> Result<Self, Misfit> {
        // The bundled database: this crate reads no files.
        match TimeZoneDatabase::bundled().get(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(Misfit::default()),
        }
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}
