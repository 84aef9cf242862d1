//! Outgoing HTTP, on the types of the `http` crate.
//!
//! The manifest grants origins with `allow.http`, and other functions with `allow.invoke`: those are
//! called as `http://NAME.wfh.internal/`. Trace context and `wfh-event-key` go along by themselves.

use std::fmt;
use std::time::Duration;

use http::{HeaderValue, Request, Response, Uri};

use crate::{Body, log, sys};

/// Sends a request and gives the answer once its head is there; its body streams.
///
/// The request needs an absolute URI. Its body is sent while the answer is awaited, and further
/// while the answer's body is read. To give up is to drop the future, or the answer.
///
/// # Errors
/// When the call is not granted, when nobody answers, or when the request is not well formed. A
/// status such as 500 is an answer and no error.
///
/// ```
/// use wfh::{Body, Request, Result, client};
///
/// async fn charge(cents: u32) -> Result<bool> {
///     let request = Request::post("https://bank.example.com/charges")
///         .header("content-type", "application/json")
///         .body(Body::json(&cents)?)?;
///     Ok(client::send(request).await?.status().is_success())
/// }
/// # let host = wfh::test::Host::new().http(|_| wfh::Response::new("".into()));
/// # assert!(host.run(charge(7)).unwrap());
/// ```
pub async fn send<B: Into<Body>>(request: Request<B>) -> Result<Response<Body>, Error> {
    send_within(request, Timeouts::default()).await
}

/// [`send`], with timeouts of your own instead of the host's.
///
/// # Errors
/// As for [`send`].
///
/// ```
/// use std::time::Duration;
/// use wfh::{Request, Result, client};
///
/// async fn is_up() -> Result<bool> {
///     let timeouts = client::Timeouts::new().first_byte(Duration::from_millis(500));
///     let request = Request::get("https://api.example.com/").body(())?;
///     Ok(client::send_within(request, timeouts).await.is_ok())
/// }
/// # assert!(!wfh::test::Host::new().run(is_up()).unwrap());
/// ```
pub async fn send_within<B: Into<Body>>(
    request: Request<B>,
    timeouts: Timeouts,
) -> Result<Response<Body>, Error> {
    let mut request = request.map(Into::into);
    if request.uri().scheme().is_none() || request.uri().authority().is_none() {
        let problem = format!("the URI `{}` is not absolute", request.uri());
        return Err(Error::new(ErrorKind::Invalid, problem));
    }
    // Below the span it is sent in; without one the host puts it below the invocation.
    let position = log::traceparent().and_then(|text| HeaderValue::try_from(text).ok());
    if let Some(position) = position {
        request.headers_mut().entry("traceparent").or_insert(position);
    }
    sys::client::send(request, timeouts).await
}

/// Sends a GET.
///
/// # Errors
/// As for [`send`]; also when the URI is none.
///
/// ```
/// use wfh::{Result, client};
///
/// async fn page(url: &str) -> Result<Vec<u8>> {
///     Ok(client::get(url).await?.into_body().limited(1024 * 1024).await?.to_vec())
/// }
/// # let host = wfh::test::Host::new().http(|_| wfh::Response::new("hello".into()));
/// # assert_eq!(host.run(page("http://example.com/")).unwrap(), b"hello");
/// ```
pub async fn get<U>(uri: U) -> Result<Response<Body>, Error>
where
    Uri: TryFrom<U>,
    <Uri as TryFrom<U>>::Error: Into<http::Error>,
{
    let invalid = |error: http::Error| Error::new(ErrorKind::Invalid, error.to_string());
    send(Request::get(uri).body(()).map_err(invalid)?).await
}

/// How long the steps of a call may take. What is not set is the host's choice.
///
/// ```
/// use std::time::Duration;
/// use wfh::client::Timeouts;
///
/// let timeouts = Timeouts::new().connect(Duration::from_secs(1)).between_bytes(Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    pub(crate) connect: Option<Duration>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) between_bytes: Option<Duration>,
}

impl Timeouts {
    /// The host's.
    ///
    /// ```
    /// assert_eq!(wfh::client::Timeouts::new(), wfh::client::Timeouts::default());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Until there is a connection.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let timeouts = wfh::client::Timeouts::new().connect(Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn connect(mut self, timeout: Duration) -> Self {
        self.connect = Some(timeout);
        self
    }

    /// Until the answer begins.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let timeouts = wfh::client::Timeouts::new().first_byte(Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn first_byte(mut self, timeout: Duration) -> Self {
        self.first_byte = Some(timeout);
        self
    }

    /// Between two pieces of the answer.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let timeouts = wfh::client::Timeouts::new().between_bytes(Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn between_bytes(mut self, timeout: Duration) -> Self {
        self.between_bytes = Some(timeout);
        self
    }
}

/// Why there is no answer.
///
/// ```
/// use wfh::client::{Error, ErrorKind};
///
/// fn is_worth_another_try(error: &Error) -> bool {
///     matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unreachable | ErrorKind::Busy)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    detail: String,
}

/// What kind of failure it was.
///
/// ```
/// use wfh::client::{self, ErrorKind};
///
/// let error = wfh::test::Host::new().run(client::get("http://example.com/")).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Denied);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The manifest does not grant it, or the name leads to an address it may not.
    Denied,
    /// The request is not well formed.
    Invalid,
    /// No such name, no route, or nobody listens there.
    Unreachable,
    /// A step took longer than it may.
    Timeout,
    /// The other side, or the limit of calls at once, takes no more now.
    Busy,
    /// The connection broke, or what came over it was no HTTP.
    Broken,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// What kind of failure it was.
    ///
    /// ```
    /// fn denied(error: &wfh::client::Error) -> bool {
    ///     error.kind() == wfh::client::ErrorKind::Denied
    /// }
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the call failed: {}", self.detail)
    }
}

impl std::error::Error for Error {}
