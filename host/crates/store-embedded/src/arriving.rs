//! Requests as transactions take them: what waits, and what comes while a transaction works.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::request::Message;

/// The receiving end, with what was looked at and not taken yet.
pub(crate) struct Arriving {
    receiver: Receiver<Message>,
    waiting: VecDeque<Message>,
}

impl Arriving {
    pub(crate) fn new(receiver: Receiver<Message>) -> Self {
        Self { receiver, waiting: VecDeque::new() }
    }

    /// Waits for a request, so long at most. False: nobody can send one any more.
    pub(crate) fn wait(&mut self, longest: Duration) -> bool {
        if self.waiting.is_empty() {
            match self.receiver.recv_timeout(longest) {
                Ok(message) => self.waiting.push_back(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        self.take_in();
        true
    }

    /// Whether nothing waits that was looked at.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether one of those that wait must be on the disk before it is answered.
    pub(crate) fn is_durable(&self) -> bool {
        self.waiting.iter().any(|message| message.request.is_durable())
    }

    /// The next request of a transaction, which is waited for until then. One that must be on the
    /// disk is left to the next transaction if this one does not go there.
    pub(crate) fn next(&mut self, durable: bool, until: Instant) -> Option<Message> {
        loop {
            if self.waiting.is_empty() {
                self.take_in();
            }
            let message = match self.waiting.pop_front() {
                Some(message) => message,
                None => {
                    let wait = until.saturating_duration_since(Instant::now());
                    // A wait of nothing would spin for a while all the same.
                    if wait.is_zero() {
                        return None;
                    }
                    self.receiver.recv_timeout(wait).ok()?
                }
            };
            if !durable && message.request.is_durable() {
                self.waiting.push_front(message);
                return None;
            }
            // Whoever went away before its turn never asked.
            if !message.request.is_abandoned() {
                return Some(message);
            }
        }
    }

    fn take_in(&mut self) {
        self.waiting.extend(self.receiver.try_iter());
    }
}
