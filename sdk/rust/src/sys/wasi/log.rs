//! `wfh:function/log`

use tracing::Level;

use crate::bindings::log::{self as wit};
use crate::log::LogRecord;

pub(crate) fn log(record: LogRecord) {
    let level = match record.level {
        Level::TRACE => wit::Level::Trace,
        Level::DEBUG => wit::Level::Debug,
        Level::INFO => wit::Level::Info,
        Level::WARN => wit::Level::Warn,
        Level::ERROR => wit::Level::Error,
    };
    wit::log(level, &record.target, &record.message, &record.fields);
}
