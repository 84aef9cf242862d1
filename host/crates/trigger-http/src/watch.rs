//! What a connection is doing, and until when it may.
//!
//! hyper's own timers do not see a client that connects and stays silent, sends half a preface, or
//! no longer reads its answer. This watch does, for every protocol alike.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Version;
use tokio::sync::Notify;
use tokio::time::Instant;
use wfh_event::InvocationId;

/// What a client that does not read its answer gets beyond the answer's deadline.
const UNREAD_GRACE: Duration = Duration::from_millis(500);

/// How long a retired HTTP/1 connection waits for a request that may be under way: its answer says
/// `connection: close`, and nobody is left without one.
const RETIRE_GRACE: Duration = Duration::from_secs(1);

/// Shared by a connection's task, its socket and its requests.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Something is due earlier than when the connection would look.
    sooner: Notify,
}

struct State {
    header_read_timeout: Duration,
    idle_timeout: Duration,
    requests: u64,
    in_flight: usize,
    idle_since: Instant,
    /// When the connection will look again.
    look_at: Instant,
    /// Since when no further request is wanted.
    retired_since: Option<Instant>,
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
        let state = State {
            header_read_timeout,
            idle_timeout,
            requests: 0,
            in_flight: 0,
            look_at: Instant::now() + header_read_timeout,
            retired_since: None,
            is_h2: false,
            idle_since: Instant::now(),
            head_since: None,
            answers: Vec::new(),
        };
        Self(Arc::new(Shared { state: Mutex::new(state), sooner: Notify::new() }))
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
        let mut state = self.lock();
        state.answers.push((id, deadline));
        let sooner = deadline + UNREAD_GRACE < state.look_at;
        if sooner {
            state.look_at = deadline + UNREAD_GRACE;
            self.0.sooner.notify_one();
        }
    }

    /// Resolves when the connection must look earlier than it meant to.
    pub(crate) async fn sooner(&self) {
        self.0.sooner.notified().await;
    }

    /// No further request is wanted. HTTP/2 says so at once, HTTP/1 with its next answer.
    pub(crate) fn retire(&self) {
        self.lock().retired_since.get_or_insert_with(Instant::now);
        self.0.sooner.notify_one();
    }

    /// Whether an HTTP/2 connection is to say that no further request is wanted.
    pub(crate) fn says_goodbye(&self) -> bool {
        let state = self.lock();
        state.retired_since.is_some() && state.is_h2
    }

    /// Whether the next HTTP/1 answer says `connection: close`.
    pub(crate) fn says_close(&self) -> bool {
        let state = self.lock();
        state.retired_since.is_some() && !state.is_h2
    }

    /// An answer is out, or broke off.
    pub(crate) fn answered(&self, id: InvocationId) {
        self.lock().answers.retain(|(other, _)| *other != id);
    }

    /// Whether the connection is overdue, or when to look again.
    pub(crate) fn check(&self, now: Instant) -> Result<Instant, Overdue> {
        let mut state = self.lock();
        let next = state.check(now)?;
        state.look_at = next;
        Ok(next)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&self, now: Instant) -> Result<Instant, Overdue> {
        let state = self;
        let mut next = now + state.idle_timeout;
        if let Some(earliest) = state.answers.iter().map(|(_, deadline)| *deadline).min() {
            next = next.min(due(earliest + UNREAD_GRACE, now, Overdue::Answer)?);
        }
        if let Some(since) = state.head_since {
            next = next.min(due(since + state.header_read_timeout, now, Overdue::Head)?);
        } else if state.in_flight == 0 {
            let idle_until = state.idle_since + state.idle_timeout;
            let retired_until =
                state.retired_since.map(|since| since.max(state.idle_since) + RETIRE_GRACE);
            let until = retired_until.map_or(idle_until, |retired| retired.min(idle_until));
            next = next.min(due(until, now, Overdue::Idle)?);
        }
        // What begins later is seen at the latest one timeout after it began.
        Ok(next.min(now + state.header_read_timeout))
    }
}

fn due(at: Instant, now: Instant, overdue: Overdue) -> Result<Instant, Overdue> {
    if at <= now { Err(overdue) } else { Ok(at) }
}

/// The watches of all open connections.
#[derive(Default)]
pub(crate) struct Open(Mutex<AllOpen>);

#[derive(Default)]
struct AllOpen {
    watches: HashMap<u64, Watch>,
    next: u64,
    retired: bool,
}

/// Keeps a connection among the open ones.
pub(crate) struct OpenGuard<'o> {
    open: &'o Open,
    number: u64,
}

impl Open {
    pub(crate) fn add(&self, watch: &Watch) -> OpenGuard<'_> {
        let mut all = self.lock();
        let number = all.next;
        all.next += 1;
        all.watches.insert(number, watch.clone());
        if all.retired {
            watch.retire();
        }
        OpenGuard { open: self, number }
    }

    /// From now on no connection wants a further request.
    pub(crate) fn retire(&self) {
        let mut all = self.lock();
        all.retired = true;
        all.watches.values().for_each(Watch::retire);
    }

    fn lock(&self) -> MutexGuard<'_, AllOpen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenGuard<'_> {
    fn drop(&mut self) {
        self.open.lock().watches.remove(&self.number);
    }
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

    #[tokio::test(start_paused = true)]
    async fn an_answer_due_before_the_next_look_wakes_the_connection() {
        let watch = Watch::new(HEAD, IDLE);
        let start = Instant::now();
        watch.check(start).unwrap();
        watch.answer(new_invocation_id(), start + HEAD * 2);
        let waited = tokio::time::timeout(HEAD, watch.sooner()).await;
        assert!(waited.is_err(), "woken for a deadline that the next look sees in time");
        watch.answer(new_invocation_id(), start + HEAD / 10);
        watch.sooner().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_retired_connection_says_close_and_goes_after_a_grace() {
        let watch = Watch::new(HEAD, IDLE);
        let start = Instant::now();
        watch.retire();
        watch.sooner().await;
        assert!(!watch.says_goodbye(), "HTTP/1 cannot say goodbye without an answer");
        assert!(watch.says_close());
        assert!(watch.check(start + RETIRE_GRACE / 2).is_ok(), "a request may be under way");
        assert_eq!(watch.check(start + RETIRE_GRACE), Err(Overdue::Idle));
    }
}
