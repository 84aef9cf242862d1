//! The functions of `sys`.

pub(crate) mod client {
    use http::{Request, Response};

    use crate::Body;
    use crate::client::{Error, ErrorKind, Timeouts};

    pub(crate) async fn send(request: Request<Body>, _: Timeouts) -> Result<Response<Body>, Error> {
        let broken = |error: crate::BodyError| Error::new(ErrorKind::Broken, error.to_string());
        let fakes = super::super::current()
            .ok_or_else(|| Error::new(ErrorKind::Denied, super::super::NO_HOST))?;
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, body.bytes().await.map_err(broken)?);
        fakes.requests.borrow_mut().push(request.clone());
        // Not under a borrow: the answer is the author's code.
        let answer = fakes.http.borrow().clone();
        answer(&request).map_err(|kind| Error::new(kind, format!("the fake host: {kind:?}")))
    }
}

pub(crate) mod config {
    use crate::config::Error;

    pub(crate) fn get(key: &str) -> Result<Option<String>, Error> {
        let fakes =
            super::super::current().ok_or_else(|| Error(super::super::NO_HOST.to_owned()))?;
        Ok(fakes.config.borrow().get(key).cloned())
    }
}

pub(crate) mod log {
    use crate::log::LogRecord;

    pub(crate) fn log(record: LogRecord) {
        if let Some(fakes) = super::super::current() {
            fakes.logs.borrow_mut().push(record.into());
        }
    }
}

pub(crate) mod publish {
    use crate::Outgoing;
    use crate::publish::Error;

    pub(crate) fn send(outgoing: Outgoing) -> Result<String, Error> {
        let ids = send_batch(vec![outgoing])?;
        ids.into_iter().next().ok_or_else(|| Error::Invalid("nothing was sent".to_owned()))
    }

    pub(crate) fn send_batch(outgoing: Vec<Outgoing>) -> Result<Vec<String>, Error> {
        let absent = || Error::Unavailable(super::super::NO_HOST.to_owned());
        let fakes = super::super::current().ok_or_else(absent)?;
        for event in &outgoing {
            if !fakes.allow_send.borrow().contains(&event.target) {
                return Err(Error::Denied(format!("no `allow_send` for {}", event.target)));
            }
            if event.event_type().is_empty() {
                return Err(Error::Invalid("the event has no type".to_owned()));
            }
        }
        let mut sent = fakes.sent.borrow_mut();
        let mut ids = Vec::with_capacity(outgoing.len());
        for mut event in outgoing {
            if event.event.id.is_empty() {
                event.event.id = format!("sent-{}", sent.len() + 1);
            }
            ids.push(event.event.id.clone());
            sent.push(event);
        }
        Ok(ids)
    }
}

pub(crate) mod state {
    use std::cell::RefMut;
    use std::time::Duration;

    use super::super::store::Store;
    use crate::state::{Entry, Error, Page, Version};

    fn with<T>(
        run: impl FnOnce(RefMut<'_, Store>, Duration) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let absent = || Error::Unavailable(super::super::NO_HOST.to_owned());
        let fakes = super::super::current().ok_or_else(absent)?;
        if fakes.state_denied.get() {
            return Err(Error::Denied);
        }
        let now = fakes.clock.borrow().now();
        run(fakes.store.borrow_mut(), now)
    }

    pub(crate) fn get(key: &str) -> Result<Option<Entry>, Error> {
        with(|mut store, now| store.get(now, key))
    }

    pub(crate) fn set(key: &str, value: &[u8], ttl: Option<Duration>) -> Result<Version, Error> {
        with(|mut store, now| store.set(now, key, value, ttl))
    }

    pub(crate) fn compare_and_set(
        key: &str,
        expected: Option<Version>,
        value: &[u8],
        ttl: Option<Duration>,
    ) -> Result<Option<Version>, Error> {
        with(|mut store, now| store.compare_and_set(now, key, expected, value, ttl))
    }

    pub(crate) fn delete(key: &str) -> Result<bool, Error> {
        with(|mut store, now| store.delete(now, key))
    }

    pub(crate) fn increment(key: &str, delta: i64) -> Result<i64, Error> {
        with(|mut store, now| store.increment(now, key, delta))
    }

    pub(crate) fn list(prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        with(|mut store, now| store.list(now, prefix, cursor, limit))
    }
}

pub(crate) mod time {
    use std::future::poll_fn;
    use std::task::Poll;
    use std::time::Duration;

    /// Outside of a host nothing waits for time.
    pub(crate) async fn sleep(duration: Duration) {
        let Some(fakes) = super::super::current() else { return };
        let due = fakes.clock.borrow().now().saturating_add(duration);
        poll_fn(|cx| {
            let mut clock = fakes.clock.borrow_mut();
            if clock.now() >= due {
                return Poll::Ready(());
            }
            clock.wake_at(due, cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
