//! A guest as a task: cancelled from outside, stopped at its deadline, moved off a shared core when
//! it hogs it.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime::UpdateDeadline;
use wfh_event::{Failure, FailureClass};
use wfh_invoke::{Outcome, Reply};

use crate::function::Shared;

/// What a guest may burn, after the tick that found it running, on a core it shares with
/// connections. CPU time: on a busy machine ticks pass for a guest that does not run.
const BURNT_BEFORE_MOVE: Duration = Duration::from_millis(1);
/// The niceness of background threads: connections and light guests go first, yet a heavy guest
/// still gets its share of a busy machine.
const BACKGROUND_NICENESS: i32 = 15;

thread_local! {
    /// Set by a guest that yields because its tick is over, read by the task that polled it.
    static YIELDED: Cell<bool> = const { Cell::new(false) };
    /// The guest runs again after it waited: the tick it sees first may have passed meanwhile.
    static WAITED: Cell<bool> = const { Cell::new(false) };
}

/// What a store does at each tick: let others run, and say why it did.
pub(crate) fn on_epoch() -> UpdateDeadline {
    if WAITED.take() {
        return UpdateDeadline::Continue(1);
    }
    YIELDED.set(true);
    UpdateDeadline::Yield(1)
}

/// Whether the guest that was just polled yielded because its tick was over.
pub(crate) fn yielded() -> bool {
    YIELDED.replace(false)
}

/// To be called on each thread that the host makes for background guests.
pub fn on_background_thread_start() {
    if let Err(error) = rustix::process::setpriority_process(None, BACKGROUND_NICENESS) {
        tracing::debug!(%error, "background threads keep the normal priority");
    }
}

fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// One outcome an item, or what failed them all.
pub(crate) type Answer = Result<Vec<Outcome>, Failure>;

/// One call, as its caller and its guest share it.
pub(crate) struct Call {
    answer: Mutex<Option<oneshot::Sender<Answer>>>,
    ended: OnceLock<Result<(), Failure>>,
    cancelled: AtomicBool,
    waker: AtomicWaker,
}

impl Call {
    pub(crate) fn new() -> (Arc<Self>, oneshot::Receiver<Answer>) {
        let (sender, receiver) = oneshot::channel();
        let call = Self {
            answer: Mutex::new(Some(sender)),
            ended: OnceLock::new(),
            cancelled: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        };
        (Arc::new(call), receiver)
    }

    /// Answers the caller; a second answer is ignored.
    pub(crate) fn answer(&self, answer: Answer) {
        let sender = self.lock().take();
        if let Some(sender) = sender {
            // The caller may have left; its guard has cancelled us then.
            let _ = sender.send(answer);
        }
    }

    /// Answers an HTTP caller.
    pub(crate) fn reply(&self, reply: Result<Reply, Failure>) {
        self.answer(reply.map(|reply| vec![Outcome::Done(reply)]));
    }

    /// The guest has ended. Must be called before its store is dropped: the body of the answer
    /// asks whether a missing end is a failure.
    pub(crate) fn finish(&self, result: Result<(), Failure>) {
        let answered = self.lock().is_none();
        if let (true, Err(failure)) = (answered, &result)
            && failure.class != FailureClass::Cancelled
            && self.ended.get().is_none()
        {
            tracing::warn!(class = failure.class.as_str(), detail = %failure.detail, "guest failed after it had answered");
        }
        let missing = match &result {
            Ok(()) => Failure::new(FailureClass::Trap, "the guest returned without an answer"),
            Err(failure) => failure.clone(),
        };
        let _ = self.ended.set(result);
        self.answer(Err(missing));
    }

    /// How the guest failed, if it has ended and failed.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.ended.get()?.as_ref().err().cloned()
    }

    /// Whether the guest has ended and did not fail.
    pub(crate) fn went_well(&self) -> bool {
        matches!(self.ended.get(), Some(Ok(())))
    }

    /// Stops the guest where it next waits or yields.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Resolves when the caller has left.
    pub(crate) async fn cancelled(&self) {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.cancelled.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, Option<oneshot::Sender<Answer>>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cancels a call unless it is disarmed: held by whoever waits for the guest.
pub(crate) struct CancelOnDrop(Option<Arc<Call>>);

impl CancelOnDrop {
    pub(crate) fn new(call: Arc<Call>) -> Self {
        Self(Some(call))
    }

    pub(crate) fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(call) = &self.0 {
            call.cancel();
        }
    }
}

type Guest = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where guests run that hog a core, and whether this function's last one did.
pub(crate) struct Background {
    pub(crate) threads: Handle,
    pub(crate) hogs: AtomicBool,
}

/// The task that runs a guest.
pub(crate) struct GuestTask {
    guest: Option<Guest>,
    call: Arc<Call>,
    function: Arc<Shared>,
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    /// CPU time since the first of the ticks in a row that found the guest running.
    burnt: Option<Duration>,
    /// How long it was polled.
    ran: Duration,
    hogged: bool,
    in_background: bool,
}

impl GuestTask {
    /// Runs `guest` on the current runtime, or in the background at once if the function's last
    /// call hogged its core.
    pub(crate) fn spawn(
        guest: Guest,
        call: Arc<Call>,
        function: Arc<Shared>,
        deadline: Option<Instant>,
    ) {
        let in_background = function.background.hogs.load(Ordering::Relaxed);
        let task = Self {
            guest: Some(guest),
            call,
            function,
            deadline,
            timer: None,
            burnt: None,
            ran: Duration::ZERO,
            hogged: false,
            in_background,
        };
        if in_background {
            task.spawn_in_background();
        } else {
            tokio::spawn(task);
        }
    }

    fn spawn_in_background(self) {
        let threads = self.function.background.threads.clone();
        threads.spawn(self);
    }

    /// Ends the guest before it is done.
    fn stop(&mut self, class: FailureClass, detail: &str) {
        self.call.finish(Err(Failure::new(class, detail)));
        self.guest = None;
    }

    /// Polls the guest and counts what it burns from one tick to the next.
    fn poll_guest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(guest) = &mut self.guest else {
            return Poll::Ready(());
        };
        YIELDED.set(false);
        WAITED.set(self.burnt.is_none());
        self.function.ticker.guest_is_polled();
        let before = self.burnt.map(|burnt| (burnt, thread_cpu_time()));
        let began = std::time::Instant::now();
        let polled = guest.as_mut().poll(cx);
        self.ran += began.elapsed();
        WAITED.set(false);
        self.burnt = yielded().then(|| match before {
            Some((burnt, before)) => burnt + thread_cpu_time().saturating_sub(before),
            None => Duration::ZERO,
        });
        polled
    }

    /// Whether the guest must leave this core.
    fn hogs_this_core(&mut self) -> bool {
        let hogs = self.burnt.is_some_and(|burnt| burnt >= BURNT_BEFORE_MOVE);
        if hogs && !self.hogged {
            self.hogged = true;
            self.function.background.hogs.store(true, Ordering::Relaxed);
        }
        hogs && !self.in_background
    }

    fn move_to_background(&mut self) {
        let moved = Self {
            guest: self.guest.take(),
            call: Arc::clone(&self.call),
            function: Arc::clone(&self.function),
            deadline: self.deadline,
            timer: None,
            burnt: None,
            ran: std::mem::take(&mut self.ran),
            hogged: true,
            in_background: true,
        };
        moved.spawn_in_background();
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline))).as_mut().poll(cx)
    }
}

impl Future for GuestTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.call.waker.register(cx.waker());
        if this.call.cancelled.load(Ordering::Acquire) {
            this.stop(FailureClass::Cancelled, "the caller left");
            return Poll::Ready(());
        }
        if this.poll_guest(cx).is_ready() {
            if this.in_background && !this.hogged {
                this.function.background.hogs.store(false, Ordering::Relaxed);
            }
            this.guest = None;
            return Poll::Ready(());
        }
        if this.hogs_this_core() {
            this.move_to_background();
            return Poll::Ready(());
        }
        if this.poll_deadline(cx).is_ready() {
            this.stop(FailureClass::Timeout, "the guest was stopped at its deadline");
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for GuestTask {
    fn drop(&mut self) {
        // One that moved to the background goes on elsewhere.
        if !self.ran.is_zero() {
            self.function.meters.used_processor(self.ran);
        }
        if self.guest.is_some() {
            self.stop(FailureClass::Internal, "the guest's task was dropped");
        }
    }
}
