//! What a connection is doing, and until when it may.
//!
//! hyper's own timers do not see a client that connects and stays silent, sends half a preface, or
//! no longer reads its answer. This watch does, for every protocol alike.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Version;
use tokio::time::Instant;
use wfh_event::InvocationId;

/// What a client that does not read its answer gets beyond the answer's deadline.
const UNREAD_GRACE: Duration = Duration::from_millis(500);

/// Shared by a connection's task, its socket and its requests.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Mutex<State>>);

struct State {
    header_read_timeout: Duration,
    idle_timeout: Duration,
    requests: u64,
    in_flight: usize,
    idle_since: Instant,
    /// HTTP/2 sends more than heads between requests, so there silence is judged by requests alone.
    is_h2: bool,
    /// When the first byte of a head came that is not complete yet.
    head_since: Option<Instant>,
    /// Answers that are being written, with their deadlines.
    answers: Vec<(InvocationId, Instant)>,
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// Nothing was asked for too long: say goodbye.
    Idle,
    /// A head did not come to its end.
    Head,
    /// An answer was not read.
    Answer,
}

impl Watch {
    pub(crate) fn new(header_read_timeout: Duration, idle_timeout: Duration) -> Self {
        Self(Arc::new(Mutex::new(State {
            header_read_timeout,
            idle_timeout,
            requests: 0,
            in_flight: 0,
            is_h2: false,
            idle_since: Instant::now(),
            head_since: None,
            answers: Vec::new(),
        })))
    }

    /// Bytes came in.
    pub(crate) fn read(&self) {
        let mut state = self.lock();
        if state.in_flight == 0 && !state.is_h2 && state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
    }

    /// A request's head is complete. Gives the number of requests so far and the guard of this one.
    pub(crate) fn request(&self, version: Version) -> (u64, InFlight) {
        let mut state = self.lock();
        state.is_h2 = version == Version::HTTP_2;
        state.in_flight += 1;
        state.requests += 1;
        state.head_since = None;
        (state.requests, InFlight(self.clone()))
    }

    /// An answer begins that must be out by `deadline`.
    pub(crate) fn answer(&self, id: InvocationId, deadline: Instant) {
        self.lock().answers.push((id, deadline));
    }

    /// An answer is out, or broke off.
    pub(crate) fn answered(&self, id: InvocationId) {
        self.lock().answers.retain(|(other, _)| *other != id);
    }

    /// Whether the connection is overdue, or when to look again.
    pub(crate) fn check(&self, now: Instant) -> Result<Instant, Overdue> {
        let state = self.lock();
        let mut next = now + state.idle_timeout;
        if let Some(earliest) = state.answers.iter().map(|(_, deadline)| *deadline).min() {
            next = next.min(due(earliest + UNREAD_GRACE, now, Overdue::Answer)?);
        }
        if let Some(since) = state.head_since {
            next = next.min(due(since + state.header_read_timeout, now, Overdue::Head)?);
        } else if state.in_flight == 0 {
            next = next.min(due(state.idle_since + state.idle_timeout, now, Overdue::Idle)?);
        }
        // What begins later is seen at the latest one timeout after it began.
        Ok(next.min(now + state.header_read_timeout))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn due(at: Instant, now: Instant, overdue: Overdue) -> Result<Instant, Overdue> {
    if at <= now { Err(overdue) } else { Ok(at) }
}

/// A request in flight; dropped when its answer is out.
pub(crate) struct InFlight(Watch);

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.in_flight -= 1;
        if state.in_flight == 0 {
            state.idle_since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wfh_invoke::new_invocation_id;

    const HEAD: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_idle_and_half_a_head_is_overdue_sooner() {
        let watch = Watch::new(HEAD, IDLE);
        let start = Instant::now();
        assert_eq!(watch.check(start + IDLE), Err(Overdue::Idle));
        watch.read();
        assert!(watch.check(start + HEAD / 2).is_ok());
        assert_eq!(watch.check(start + HEAD), Err(Overdue::Head));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_flight_is_never_idle_but_an_unread_answer_is_overdue() {
        let watch = Watch::new(HEAD, IDLE);
        let start = Instant::now();
        watch.read();
        let (_, in_flight) = watch.request(Version::HTTP_11);
        assert!(watch.check(start + IDLE * 10).is_ok());
        let id = new_invocation_id();
        watch.answer(id, start + HEAD);
        assert_eq!(watch.check(start + HEAD + UNREAD_GRACE), Err(Overdue::Answer));
        watch.answered(id);
        drop(in_flight);
        assert!(watch.check(start + HEAD).is_ok());
    }
}
