//! What stands behind the capabilities in a test: the functions of `sys`, on values in memory.

mod capabilities;
mod clock;
mod store;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

pub(crate) use capabilities::{client, config, log, publish, state, time};
use clock::Clock;
use store::Store;

use super::LogLine;
use crate::client::ErrorKind;
use crate::{Body, Outgoing};

const NO_HOST: &str = "there is no host: call this inside of `wfh::test::Host::run`";

type Answer = dyn Fn(&Request<Bytes>) -> Result<Response<Body>, ErrorKind>;

pub(super) struct Fakes {
    pub(super) clock: RefCell<Clock>,
    pub(super) store: RefCell<Store>,
    pub(super) state_denied: Cell<bool>,
    pub(super) allow_send: RefCell<Vec<String>>,
    pub(super) sent: RefCell<Vec<Outgoing>>,
    pub(super) config: RefCell<BTreeMap<String, String>>,
    pub(super) http: RefCell<Rc<Answer>>,
    pub(super) requests: RefCell<Vec<Request<Bytes>>>,
    pub(super) logs: RefCell<Vec<LogLine>>,
    pub(super) attempts_max: Cell<u32>,
    pub(super) remaining: Cell<Duration>,
}

impl Default for Fakes {
    fn default() -> Self {
        Self {
            clock: RefCell::default(),
            store: RefCell::default(),
            state_denied: Cell::new(false),
            allow_send: RefCell::default(),
            sent: RefCell::default(),
            config: RefCell::default(),
            http: RefCell::new(Rc::new(|_| Err(ErrorKind::Denied))),
            requests: RefCell::default(),
            logs: RefCell::default(),
            attempts_max: Cell::new(3),
            remaining: Cell::new(Duration::from_secs(30)),
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Vec<Rc<Fakes>>> = const { RefCell::new(Vec::new()) };
}

/// Runs something with these fakes in place, also when it panics.
pub(super) fn with<T>(fakes: &Rc<Fakes>, run: impl FnOnce() -> T) -> T {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            CURRENT.with_borrow_mut(Vec::pop);
        }
    }
    CURRENT.with_borrow_mut(|current| current.push(Rc::clone(fakes)));
    let _leave = Leave;
    run()
}

fn current() -> Option<Rc<Fakes>> {
    CURRENT.with_borrow(|current| current.last().cloned())
}
