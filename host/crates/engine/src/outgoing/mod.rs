//! Outgoing HTTP: only to what the manifest grants, over connections that are pooled per function.

mod address;
mod body;
mod chain;
mod client;
mod span;

use std::future::Future;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi_http::{Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};
use wfh_event::FunctionName;
use wfh_invoke::WeakDispatcher;
use wfh_telemetry::TraceContext;

pub use address::{Resolve, SystemResolver};
pub(crate) use client::Client;
pub use client::tls_client;
use span::Sending;

use crate::OutgoingConfig;
use crate::function::Shared;
use crate::sandbox::CallInfo;

/// Names below this suffix are functions of this host.
const INTERNAL_SUFFIX: &str = ".wfh.internal";
const EVENT_KEY: HeaderName = HeaderName::from_static("wfh-event-key");

/// What outgoing calls of all functions share.
pub(crate) struct Environment {
    pub(crate) config: OutgoingConfig,
    pub(crate) tls: std::sync::OnceLock<Arc<rustls::ClientConfig>>,
    pub(crate) dispatcher: std::sync::OnceLock<WeakDispatcher>,
    pub(crate) forbidden: ForbiddenHeaderFilter,
}

/// The outgoing side of one sandbox.
pub(crate) struct Outgoing {
    function: Arc<Shared>,
    call: Arc<CallInfo>,
    /// Made at the first outgoing call.
    permits: Option<Arc<Semaphore>>,
}

/// Where a request goes.
enum Destination {
    /// To another function of this host.
    Function(FunctionName),
    /// Out of it.
    Outside,
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Io), Error>;

impl Outgoing {
    pub(crate) fn new(function: Arc<Shared>, call: Arc<CallInfo>) -> Self {
        Self { function, call, permits: None }
    }

    /// The next call of a reused sandbox begins.
    pub(crate) fn begin(&mut self, call: Arc<CallInfo>) {
        self.call = call;
    }

    fn permits(&mut self) -> Arc<Semaphore> {
        let outgoing_max = self.function.config.outgoing_max;
        Arc::clone(self.permits.get_or_insert_with(|| Arc::new(Semaphore::new(outgoing_max))))
    }

    /// Headers that the guest does not have to think of: its trace goes on, and the other side can
    /// tell a repeated event.
    fn add_headers(&self, request: &mut Request<WasiBody>, trace: &TraceContext) {
        let headers = request.headers_mut();
        trace.write_to(headers);
        let key = self.call.event_key.as_deref().and_then(|key| HeaderValue::from_str(key).ok());
        if let Some(key) = key {
            headers.insert(EVENT_KEY, key);
        }
    }

    /// Where a request may go, if it may.
    fn destination(&self, uri: &Uri) -> Option<Destination> {
        match internal_name(uri) {
            Some(name) => {
                let mut granted = self.function.config.invoke.iter();
                granted.find(|own| own.as_str() == name).cloned().map(Destination::Function)
            }
            None => self.is_granted(uri).then_some(Destination::Outside),
        }
    }

    fn is_granted(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return false;
        };
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        self.function.config.http.iter().any(|grant| grant.matches(scheme, host, port))
    }
}

impl WasiHttpHooks for Outgoing {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::clone(&self.function.environment.forbidden)
    }

    /// Connections decide: HTTP/1 sends `host`, HTTP/2 `:authority`.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        // A guest may name a span of its own.
        let trace = self.call.trace.child_of(request.headers());
        self.add_headers(&mut request, &trace);
        let permits = self.permits();
        let (function, call) = (Arc::clone(&self.function), Arc::clone(&self.call));
        let destination = self.destination(request.uri());
        Box::new(async move {
            let destination = destination.filter(|_| request.method() != http::Method::CONNECT);
            let Some(destination) = destination else { return Err(deny(request)) };
            if function.config.outgoing_max == 0 {
                return Err(Error::ConnectionLimitReached);
            }
            let permit =
                permits.acquire_owned().await.map_err(|_| Error::ConnectionLimitReached)?;
            let sending = Sending::begin(&trace, &request);
            let sent = match destination {
                Destination::Function(name) => {
                    chain::call(&function, &call, name, trace.child(), request).await
                }
                Destination::Outside => client::send(&function, request, options).await,
            };
            sending.end(&sent);
            let done: Io = Box::new(async { Ok(()) });
            Ok((sent?.map(|body| body::holding(body, permit)), done))
        })
    }
}

/// The function a URI names, if it names one of this host.
fn internal_name(uri: &Uri) -> Option<String> {
    let host = uri.host()?.to_ascii_lowercase();
    Some(host.strip_suffix(INTERNAL_SUFFIX)?.to_owned())
}

/// A guest that uploads must see the denial, not a closed stream: its body is read to the end, at
/// most as long as its sandbox lives.
fn deny(request: Request<WasiBody>) -> Error {
    let mut body = request.into_body();
    tokio::spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
    Error::HttpRequestDenied
}

/// Keeps a call's permit as long as its answer is read.
type Permit = OwnedSemaphorePermit;
