//! Every capability says that there is no host.
#![allow(clippy::needless_pass_by_value, clippy::unused_async, reason = "one signature for all")]

const NO_HOST: &str = "there is no host: build for wasm32-wasip2, or test with the feature `test`";

pub(crate) mod client {
    use http::{Request, Response};

    use crate::Body;
    use crate::client::{Error, ErrorKind, Timeouts};

    pub(crate) async fn send(_: Request<Body>, _: Timeouts) -> Result<Response<Body>, Error> {
        Err(Error::new(ErrorKind::Unreachable, super::NO_HOST))
    }
}

pub(crate) mod config {
    use crate::config::Error;

    pub(crate) fn get(_: &str) -> Result<Option<String>, Error> {
        Err(Error(super::NO_HOST.to_owned()))
    }
}

pub(crate) mod log {
    use crate::log::LogRecord;

    pub(crate) fn log(_: LogRecord) {}
}

pub(crate) mod publish {
    use crate::Outgoing;
    use crate::publish::Error;

    pub(crate) fn send(_: Outgoing) -> Result<String, Error> {
        Err(Error::Unavailable(super::NO_HOST.to_owned()))
    }

    pub(crate) fn send_batch(_: Vec<Outgoing>) -> Result<Vec<String>, Error> {
        Err(Error::Unavailable(super::NO_HOST.to_owned()))
    }
}

pub(crate) mod state {
    use std::time::Duration;

    use crate::state::{Entry, Error, Page, Version};

    fn absent<T>() -> Result<T, Error> {
        Err(Error::Unavailable(super::NO_HOST.to_owned()))
    }

    pub(crate) fn get(_: &str) -> Result<Option<Entry>, Error> {
        absent()
    }

    pub(crate) fn set(_: &str, _: &[u8], _: Option<Duration>) -> Result<Version, Error> {
        absent()
    }

    pub(crate) fn compare_and_set(
        _: &str,
        _: Option<Version>,
        _: &[u8],
        _: Option<Duration>,
    ) -> Result<Option<Version>, Error> {
        absent()
    }

    pub(crate) fn delete(_: &str) -> Result<bool, Error> {
        absent()
    }

    pub(crate) fn increment(_: &str, _: i64) -> Result<i64, Error> {
        absent()
    }

    pub(crate) fn list(_: &str, _: Option<&str>, _: u32) -> Result<Page, Error> {
        absent()
    }
}

pub(crate) mod time {
    use std::time::Duration;

    /// Time passes natively, too, if only by blocking.
    pub(crate) async fn sleep(duration: Duration) {
        std::thread::sleep(duration);
    }
}
