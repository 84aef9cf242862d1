//! The client of a running host's admin API, for the verbs.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, HOST};
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::environment;
use crate::error::Error;

const URL_DEFAULT: &str = "http://127.0.0.1:3001";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest document that is read into memory.
const DOCUMENT_BYTES_MAX: usize = 64 << 20;
/// Pages of a listing that are asked for.
const PAGES_MAX: usize = 1_000;

/// Where the host is, and what opens it.
#[derive(Debug, Args)]
pub(crate) struct AdminOptions {
    /// The host's admin API [env: WFH_ADMIN] [default: http://127.0.0.1:3001]
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// Its token; the environment variable does not show in the list of processes [env:
    /// WFH_ADMIN_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
}

/// A host's admin API.
pub(crate) struct Client {
    url: String,
    authority: Authority,
    token: Option<HeaderValue>,
}

impl Client {
    pub(crate) fn new(options: &AdminOptions) -> Result<Self, Error> {
        let asked = options.admin.clone().or_else(environment::admin_url);
        let url = asked.unwrap_or_else(|| URL_DEFAULT.to_owned());
        let authority = authority(&url)?;
        let token = options.token.clone().or_else(environment::admin_token);
        let token = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}")));
        let token = token.transpose().map_err(|_| {
            Error::Refused("the token holds characters that no header may hold".to_owned())
        })?;
        Ok(Self { url, authority, token })
    }

    /// Sends a request whose URI is a path.
    pub(crate) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Error> {
        let host = HeaderValue::from_str(self.authority.as_str());
        request.headers_mut().insert(HOST, host.map_err(|error| self.unreachable(&error))?);
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        let address = self.address();
        let connecting = timeout(CONNECT_TIMEOUT, TcpStream::connect(&address)).await;
        let stream = connecting
            .map_err(|_| self.unreachable(&format!("no connection within {CONNECT_TIMEOUT:?}")))?
            .map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.unreachable(&error))?;
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(|error| self.unreachable(&error))
    }

    /// Every item of a listing.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>, Error> {
        let (mut items, mut next) = (Vec::new(), path.to_owned());
        for _ in 0..PAGES_MAX {
            let mut page = self.get(&next).await?;
            if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
                items.extend(more);
            }
            let Some(cursor) = page.get("next").and_then(Value::as_str) else { break };
            let separator = if path.contains('?') { '&' } else { '?' };
            next = format!("{path}{separator}cursor={cursor}");
        }
        Ok(items)
    }

    /// A document.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Error> {
        self.change(Method::GET, path).await
    }

    /// Asks for a change, and gives what the host says of it; nothing is null.
    pub(crate) async fn change(&self, method: Method, path: &str) -> Result<Value, Error> {
        let uri: Uri = path.parse().map_err(|error| self.unreachable(&error))?;
        let mut request = Request::new(Full::default());
        (*request.method_mut(), *request.uri_mut()) = (method, uri);
        let (head, body) = self.send(request).await?.into_parts();
        let body = Limited::new(body, DOCUMENT_BYTES_MAX).collect().await;
        let body = body.map_err(|error| self.unreachable(&error))?.to_bytes();
        match head.status.is_success() {
            true if body.is_empty() => Ok(Value::Null),
            true => serde_json::from_slice(&body).map_err(|error| self.unreachable(&error)),
            false => Err(Error::Refused(problem_text(head.status.as_u16(), &body))),
        }
    }

    fn address(&self) -> String {
        let port = self.authority.port_u16().unwrap_or(80);
        format!("{}:{port}", self.authority.host())
    }

    fn unreachable(&self, reason: &impl ToString) -> Error {
        Error::AdminUnreachable { url: self.url.clone(), reason: reason.to_string() }
    }
}

/// `http://HOST:PORT`, or `HOST:PORT`.
fn authority(url: &str) -> Result<Authority, Error> {
    let expected = |reason: &str| Error::AdminUnreachable {
        url: url.to_owned(),
        reason: format!("{reason}; expected http://HOST:PORT"),
    };
    let rest = match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        Some((scheme, _)) => return Err(expected(&format!("{scheme}:// is not spoken"))),
        None => url,
    };
    let authority = rest.trim_end_matches('/').parse::<Authority>();
    let plain = authority.ok().filter(|authority| !authority.as_str().contains('@'));
    plain.ok_or_else(|| expected("not a URL of a host"))
}

/// A problem document for people: its code, title and detail, and the invocation.
pub(crate) fn problem_text(status: u16, body: &[u8]) -> String {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| document.get(key).and_then(Value::as_str);
    let (Some(code), Some(title)) = (text("code"), text("title")) else {
        let body = String::from_utf8_lossy(body);
        return format!("the admin port answered {status}: {}", body.trim());
    };
    let mut said = format!("{code}: {title}");
    if let Some(detail) = text("detail") {
        said += &format!(": {detail}");
    }
    if let Some(invocation) = text("instance") {
        said += &format!(" (invocation {invocation})");
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_and_a_port() {
        for url in ["http://127.0.0.1:3001", "http://[::1]:3001/", "host:3001", "HTTP://host"] {
            assert!(authority(url).is_ok(), "{url} is refused");
        }
        for url in ["https://host", "http://", "http://host/path", "http://u:p@host", "a b"] {
            assert!(authority(url).is_err(), "{url} is taken");
        }
    }

    #[test]
    fn a_problem_is_told_in_a_line() {
        let body =
            br#"{"code":"WFH-2004","title":"The function failed","detail":"x","instance":"01"}"#;
        assert_eq!(problem_text(502, body), "WFH-2004: The function failed: x (invocation 01)");
        assert_eq!(problem_text(400, b"nginx"), "the admin port answered 400: nginx");
    }
}
