//! Points in time, each an event that is appended once.
//!
//! Layer L2. The append and the advance of the schedule are one commit, guarded by the schedule's
//! version, so that several replicas fire once between them and a crash neither loses nor repeats a
//! tick. This crate must not know a backend, an engine or the manifest. Its main type is
//! [`ScheduleTrigger`].

mod trigger;
mod when;

pub use trigger::{Missed, ScheduleConfig, ScheduleTrigger};
pub use when::{When, WhenError};
