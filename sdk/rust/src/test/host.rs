//! The fake of the host.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use super::fake::{self, Fakes};
use super::{BatchOutcome, Delivery, LogLine, executor};
use crate::client::ErrorKind;
use crate::{
    BatchReply, Body, Context, Error, Event, IntoReply, IntoResponse, Outgoing, Payload, Reply,
    batch, event, log, response,
};

/// A host in memory: what it is given stands behind the capabilities while a handler runs, and what
/// the handler did can be looked at afterwards.
///
/// Clones share everything. State is granted; outgoing HTTP is denied until [`http`](Host::http) says
/// who answers, and sending until [`allow_send`](Host::allow_send) names the target.
///
/// ```
/// use wfh::test::Host;
///
/// let host = Host::new().config("currency", "EUR").secret("KEY", "hunter2").state("visits", "1");
/// let visits = host.run(async { wfh::state::increment("visits", 1) });
/// assert_eq!(visits, Ok(2));
/// ```
#[derive(Clone, Default)]
pub struct Host(Rc<Fakes>);

impl Host {
    /// A host that knows nothing.
    ///
    /// ```
    /// let host = wfh::test::Host::new();
    /// assert!(host.sent().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value into the state.
    ///
    /// ```
    /// let host = wfh::test::Host::new().state("visits", "41");
    /// ```
    #[must_use]
    pub fn state(self, key: &str, value: impl AsRef<[u8]>) -> Self {
        let now = self.0.clock.borrow().now();
        if let Err(error) = self.0.store.borrow_mut().set(now, key, value.as_ref(), None) {
            panic!("{key:?} cannot be put into the state: {error}");
        }
        self
    }

    /// Denies state, like a manifest without `allow.state`.
    ///
    /// ```
    /// let host = wfh::test::Host::new().without_state();
    /// assert_eq!(host.run(async { wfh::state::get("k") }), Err(wfh::state::Error::Denied));
    /// ```
    #[must_use]
    pub fn without_state(self) -> Self {
        self.0.state_denied.set(true);
        self
    }

    /// Grants sending to a target, like `allow.send`.
    ///
    /// ```
    /// let host = wfh::test::Host::new().allow_send("queue:emails");
    /// ```
    #[must_use]
    pub fn allow_send(self, target: impl Into<String>) -> Self {
        self.0.allow_send.borrow_mut().push(target.into());
        self
    }

    /// Sets a configuration value.
    ///
    /// ```
    /// let host = wfh::test::Host::new().config("currency", "EUR");
    /// ```
    #[must_use]
    pub fn config(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.config.borrow_mut().insert(key.into(), value.into());
        self
    }

    /// Sets a secret.
    ///
    /// ```
    /// let host = wfh::test::Host::new().secret("API_KEY", "hunter2");
    /// ```
    #[must_use]
    pub fn secret(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config(name, value)
    }

    /// Answers outgoing calls.
    ///
    /// ```
    /// use wfh::{Response, client, test::Host};
    ///
    /// let host = Host::new().http(|request| match request.uri().path() {
    ///     "/up" => Response::new("yes".into()),
    ///     _ => Response::builder().status(404).body("no".into()).unwrap(),
    /// });
    /// let answer = host.run(client::get("https://example.com/down")).unwrap();
    /// assert_eq!(answer.status(), 404);
    /// ```
    #[must_use]
    pub fn http(self, answer: impl Fn(&Request<Bytes>) -> Response<Body> + 'static) -> Self {
        *self.0.http.borrow_mut() = Rc::new(move |request| Ok(answer(request)));
        self
    }

    /// Lets outgoing calls fail.
    ///
    /// ```
    /// use wfh::client::{self, ErrorKind};
    ///
    /// let host = wfh::test::Host::new().http_fails(ErrorKind::Timeout);
    /// let error = host.run(client::get("https://example.com/")).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Timeout);
    /// ```
    #[must_use]
    pub fn http_fails(self, kind: ErrorKind) -> Self {
        *self.0.http.borrow_mut() = Rc::new(move |_| Err(kind));
        self
    }

    /// Sets what [`Context::attempts_max`] says; 3 without it.
    ///
    /// ```
    /// let host = wfh::test::Host::new().attempts_max(1);
    /// ```
    #[must_use]
    pub fn attempts_max(self, attempts: u32) -> Self {
        self.0.attempts_max.set(attempts);
        self
    }

    /// Sets what [`Context::remaining`] begins with; 30 s without it. It passes in real time.
    ///
    /// ```
    /// let host = wfh::test::Host::new().remaining(std::time::Duration::ZERO);
    /// ```
    #[must_use]
    pub fn remaining(self, remaining: Duration) -> Self {
        self.0.remaining.set(remaining);
        self
    }

    /// Moves the time on, for what is set to pass.
    ///
    /// ```
    /// wfh::test::Host::new().advance(std::time::Duration::from_secs(60));
    /// ```
    pub fn advance(&self, duration: Duration) {
        self.0.clock.borrow_mut().advance(duration);
    }

    /// Runs a future with this host behind the capabilities.
    ///
    /// # Panics
    /// When the future waits for something that cannot happen.
    ///
    /// ```
    /// let text = wfh::test::Host::new().run(wfh::Body::from("hello").bytes()).unwrap();
    /// assert_eq!(text, "hello");
    /// ```
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        log::install();
        fake::with(&self.0, || executor::block_on(&self.0, future))
    }

    /// Calls an HTTP handler, and waits for the whole of its answer.
    ///
    /// # Panics
    /// When the answer's body breaks off.
    ///
    /// ```
    /// use wfh::{Body, Request, test::Host};
    ///
    /// async fn hello(_: Request<Body>) -> &'static str { "hello" }
    ///
    /// let response = Host::new().request(hello, Request::new(Body::empty()));
    /// assert_eq!((response.status().as_u16(), response.body().as_ref()), (200, &b"hello"[..]));
    /// ```
    pub fn request<H, F, B>(&self, handler: H, request: Request<B>) -> Response<Bytes>
    where
        H: FnOnce(Request<Body>) -> F,
        F: Future<Output: IntoResponse>,
        B: Into<Body>,
    {
        self.run(async {
            let (parts, body) = response::call(handler, request.map(Into::into)).await.into_parts();
            match body.bytes().await {
                Ok(bytes) => Response::from_parts(parts, bytes),
                Err(error) => panic!("the answer's body broke off: {error}"),
            }
        })
    }

    /// Calls a handler of events, the reading of its payload included.
    ///
    /// # Errors
    /// What the handler fails with, or the rejection of a payload that does not parse.
    ///
    /// ```
    /// use wfh::{Event, Result, test::{Delivery, Host}};
    ///
    /// async fn double(number: Event<u32>) -> Result<u32> { Ok(number.data * 2) }
    ///
    /// let reply = Host::new().event(double, Delivery::of(&21)).unwrap();
    /// assert_eq!(reply.read_json::<u32>().unwrap(), 42);
    /// ```
    pub fn event<H, F, T, R, E>(&self, handler: H, delivery: Delivery) -> Result<Reply, Error>
    where
        H: FnOnce(Event<T>) -> F,
        F: Future<Output = Result<R, E>>,
        T: Payload,
        R: IntoReply,
        E: Into<Error>,
    {
        self.run(event::call(handler, delivery.0, self.context()))
    }

    /// Calls a handler of batches, the reading of the payloads included.
    ///
    /// ```
    /// use wfh::{BatchReply, Event, Result, test::{Delivery, Host}};
    ///
    /// async fn handle(_: Vec<Event<u32>>) -> Result<BatchReply> { Ok(BatchReply::new()) }
    ///
    /// let outcome = Host::new().batch(handle, [Delivery::of(&1), Delivery::of("two")]);
    /// assert_eq!(outcome.failed().keys().collect::<Vec<_>>(), [&1]);
    /// ```
    pub fn batch<H, F, T, E>(
        &self,
        handler: H,
        deliveries: impl IntoIterator<Item = Delivery>,
    ) -> BatchOutcome
    where
        H: FnOnce(Vec<Event<T>>) -> F,
        F: Future<Output = Result<BatchReply, E>>,
        T: Payload,
        E: Into<Error>,
    {
        let deliveries = deliveries.into_iter().map(|delivery| delivery.0).collect();
        BatchOutcome::new(self.run(batch::call(handler, deliveries, self.context())))
    }

    fn context(&self) -> Context {
        Context::new("test".to_owned(), self.0.attempts_max.get(), self.0.remaining.get())
    }

    /// What a key of the state holds.
    ///
    /// ```
    /// let host = wfh::test::Host::new().state("greeting", "hello");
    /// assert_eq!(host.state_of("greeting").as_deref(), Some(&b"hello"[..]));
    /// ```
    #[must_use]
    pub fn state_of(&self, key: &str) -> Option<Vec<u8>> {
        let now = self.0.clock.borrow().now();
        let entry = self.0.store.borrow_mut().get(now, key);
        entry.ok().flatten().map(|entry| entry.value)
    }

    /// What was sent through [`publish`](crate::publish), in order. What a reply emits is not in here.
    ///
    /// ```
    /// use wfh::{Outgoing, publish, test::Host};
    ///
    /// let host = Host::new().allow_send("queue:emails");
    /// host.run(async { publish::send(Outgoing::new("queue:emails", "mail")) }).unwrap();
    /// assert_eq!(host.sent()[0].event_type(), "mail");
    /// ```
    #[must_use]
    pub fn sent(&self) -> Vec<Outgoing> {
        self.0.sent.borrow().clone()
    }

    /// The outgoing calls, in order.
    ///
    /// ```
    /// # let host = wfh::test::Host::new().http(|_| wfh::Response::new("".into()));
    /// host.run(wfh::client::get("https://example.com/a")).unwrap();
    /// assert_eq!(host.requests()[0].uri().path(), "/a");
    /// ```
    #[must_use]
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        self.0.requests.borrow().clone()
    }

    /// The log records, in order.
    ///
    /// ```
    /// let host = wfh::test::Host::new();
    /// host.run(async { wfh::tracing::info!("hello") });
    /// assert_eq!(host.logs()[0].message, "hello");
    /// ```
    #[must_use]
    pub fn logs(&self) -> Vec<LogLine> {
        self.0.logs.borrow().clone()
    }
}
