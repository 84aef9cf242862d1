//! Who waits for which pollable.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use wasip2::io::poll::{self, Pollable};

thread_local! {
    static WAITING: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

struct Entry {
    pollable: Rc<Pollable>,
    waker: Waker,
}

/// One wait. A pollable is a child of what it watches and has to be dropped before it.
pub(super) struct Wait(Rc<Pollable>);

impl Wait {
    pub(super) fn new(pollable: Pollable) -> Self {
        Self(Rc::new(pollable))
    }

    pub(super) fn poll_ready(&self, cx: &Context<'_>) -> Poll<()> {
        if self.0.ready() {
            return Poll::Ready(());
        }
        let entry = Entry { pollable: Rc::clone(&self.0), waker: cx.waker().clone() };
        WAITING.with_borrow_mut(|waiting| {
            waiting.retain(|other| !Rc::ptr_eq(&other.pollable, &self.0));
            waiting.push(entry);
        });
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        WAITING.with_borrow_mut(|waiting| {
            waiting.retain(|other| !Rc::ptr_eq(&other.pollable, &self.0));
        });
    }
}

/// Blocks until something is ready and wakes who waits for it. False when nobody waits.
pub(super) fn block() -> bool {
    let entries = WAITING.take();
    if entries.is_empty() {
        return false;
    }
    let pollables: Vec<&Pollable> = entries.iter().map(|entry| &*entry.pollable).collect();
    let mut ready = vec![false; entries.len()];
    for index in poll::poll(&pollables) {
        if let Some(ready) = usize::try_from(index).ok().and_then(|index| ready.get_mut(index)) {
            *ready = true;
        }
    }
    // Wakers are called outside the borrow: they may be anybody's.
    let (woken, still): (Vec<_>, Vec<_>) =
        entries.into_iter().zip(ready).partition(|(_, ready)| *ready);
    WAITING.with_borrow_mut(|waiting| waiting.extend(still.into_iter().map(|(entry, _)| entry)));
    for (entry, _) in woken {
        entry.waker.wake();
    }
    true
}
