//! A small HTTP client: one connection, nothing hidden.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::within;

/// A request body.
type Body = BoxBody<Bytes, Infallible>;
type ClientError = hyper::Error;

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// From the request to the last byte.
    pub(crate) took: Duration,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {} {}", self.status, self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Whether it has a header.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// The `code` of a problem document; empty for anything else.
    pub(crate) fn code(&self) -> String {
        let document: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        document["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Status and code, as most tests compare them.
    pub(crate) fn failure(&self) -> (u16, String) {
        (self.status, self.code())
    }
}

/// One connection.
pub(crate) enum Client {
    Http1(http1::SendRequest<Body>, SocketAddr),
    Http2(http2::SendRequest<Body>, SocketAddr),
}

impl Client {
    /// HTTP/1.1.
    pub(crate) async fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Self::over(stream, address).await.map_err(std::io::Error::other)
    }

    /// HTTP/1.1 over something else.
    pub(crate) async fn over<S>(stream: S, address: SocketAddr) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self::Http1(sender, address))
    }

    /// HTTP/2 with prior knowledge.
    pub(crate) async fn http2<S>(stream: S, address: SocketAddr) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = handshake.await?;
        tokio::spawn(connection);
        Ok(Self::Http2(sender, address))
    }

    /// Whether the other side keeps the connection, as far as we know by now.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Http1(sender, _) => !sender.is_closed(),
            Self::Http2(sender, _) => !sender.is_closed(),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let answer = self.send("GET", path, &[], "").await;
        answer.unwrap_or_else(|error| panic!("GET {path}: {error:?}"))
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, ClientError> {
        let body = Full::new(Bytes::copy_from_slice(body.as_bytes())).boxed();
        self.whole(self.request(method, path, headers).body(body).unwrap()).await
    }

    /// Sends bytes and expects an answer.
    pub(crate) async fn send_bytes(&mut self, method: &str, path: &str, body: Bytes) -> Answer {
        let request = self.request(method, path, &[]).body(Full::new(body).boxed()).unwrap();
        self.whole(request).await.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"))
    }

    /// The beginning of a request to this connection's host.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> http::request::Builder {
        let mut request = Request::builder().method(method);
        request = match self {
            Self::Http1(_, address) => request.uri(path).header("host", address.to_string()),
            Self::Http2(_, address) => request.uri(format!("http://{address}{path}")),
        };
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request
    }

    /// Sends a request and reads the answer to its end.
    pub(crate) async fn whole(&mut self, request: Request<Body>) -> Result<Answer, ClientError> {
        let began = Instant::now();
        let (head, body) = self.start(request).await?.into_parts();
        let body = within("the rest of an answer", body.collect()).await?.to_bytes();
        let (status, headers) = (head.status.as_u16(), head.headers);
        Ok(Answer { status, headers, body, took: began.elapsed() })
    }

    /// Sends a request and gives the answer as it begins.
    pub(crate) async fn start(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, ClientError> {
        let sending = async {
            match self {
                Self::Http1(sender, _) => {
                    sender.ready().await?;
                    sender.send_request(request).await
                }
                Self::Http2(sender, _) => {
                    sender.ready().await?;
                    sender.send_request(request).await
                }
            }
        };
        within("the head of an answer", sending).await
    }
}
