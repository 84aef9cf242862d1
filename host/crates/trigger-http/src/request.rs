//! What of a request the guest sees.

use std::net::IpAddr;
use std::str::FromStr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, FORWARDED, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use ipnet::IpNet;
use wfh_invoke::CONSOLE_COOKIE;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const OWN_PREFIX: &str = "wfh-";
const EVENT_KEY: &str = "wfh-event-key";
const PATH_PREFIX: &str = "wfh-path-";

/// The other end of a connection, in the forms that headers want.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    text: HeaderValue,
    is_trusted: bool,
    scheme: Scheme,
}

impl Peer {
    pub(crate) fn new(ip: IpAddr, is_tls: bool, trusted_proxies: &[IpNet]) -> Self {
        let ip = ip.to_canonical();
        let text = HeaderValue::from_str(&ip.to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        let is_trusted = trusted_proxies.iter().any(|network| network.contains(&ip));
        let scheme = if is_tls { Scheme::HTTPS } else { Scheme::HTTP };
        Self { text, is_trusted, scheme }
    }

    /// Whether it speaks TLS with this host.
    pub(crate) fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }
}

/// Refuses what one proxy could read differently from another.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), &'static str> {
    let headers = request.headers();
    let version = request.version();
    if request.method() == Method::CONNECT {
        return Err("CONNECT is never served");
    }
    if headers.get_all(HOST).iter().nth(1).is_some() {
        return Err("more than one host header");
    }
    if version == Version::HTTP_11 && !headers.contains_key(HOST) {
        return Err("no host header");
    }
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return Err("both content-length and transfer-encoding");
    }
    let host = headers.get(HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    if !host.is_empty() && Authority::try_from(host).is_err() {
        return Err("the host header is not a host");
    }
    Ok(())
}

/// Removes what is not for the guest and adds what the host knows.
pub(crate) fn prepare<'p>(
    head: &mut http::request::Parts,
    peer: &Peer,
    parameters: impl Iterator<Item = (&'p str, &'p str)>,
) -> Result<(), &'static str> {
    drop_hop_by_hop(&mut head.headers);
    drop_own(&mut head.headers);
    drop_own_cookie(&mut head.headers);
    forward(&mut head.headers, peer);
    for (name, value) in parameters {
        let name = HeaderName::from_str(&format!("{PATH_PREFIX}{name}"));
        let value = HeaderValue::from_bytes(value.as_bytes());
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err("a path parameter holds control characters");
        };
        head.headers.insert(name, value);
    }
    make_absolute(head, peer);
    Ok(())
}

/// Headers about this connection end here (RFC 9110, 7.6.1).
fn drop_hop_by_hop(headers: &mut HeaderMap) {
    if let Some(listed) = headers.remove(CONNECTION) {
        for name in listed.to_str().unwrap_or_default().split(',') {
            if let Ok(name) = HeaderName::from_str(name.trim()) {
                headers.remove(name);
            }
        }
    }
    for name in [
        KEEP_ALIVE,
        PROXY_CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
        headers.remove(name);
    }
}

/// A client must not speak in the host's name.
fn drop_own(headers: &mut HeaderMap) {
    let is_own = |name: &HeaderName| name.as_str().starts_with(OWN_PREFIX) && name != EVENT_KEY;
    if headers.keys().any(is_own) {
        let own: Vec<HeaderName> = headers.keys().filter(|name| is_own(name)).cloned().collect();
        for name in own {
            headers.remove(name);
        }
    }
}

/// Browsers send cookies of one port of a host to the others: that of the console is no guest's
/// business.
fn drop_own_cookie(headers: &mut HeaderMap) {
    let is_own = |pair: &[u8]| {
        let rest = pair.trim_ascii_start().strip_prefix(CONSOLE_COOKIE.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b"="))
    };
    let pairs = |value: &HeaderValue| value.as_bytes().split(|byte| *byte == b';').any(is_own);
    if !headers.get_all(COOKIE).iter().any(pairs) {
        return;
    }
    let kept: Vec<Vec<u8>> = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        .filter(|pair| !is_own(pair))
        .map(|pair| pair.trim_ascii().to_vec())
        .collect();
    headers.remove(COOKIE);
    if let Ok(value) = HeaderValue::from_bytes(&kept.join(&b"; "[..]))
        && !value.is_empty()
    {
        headers.insert(COOKIE, value);
    }
}

/// Forwarding headers are believed from trusted proxies only; ours say who the peer is.
fn forward(headers: &mut HeaderMap, peer: &Peer) {
    if !peer.is_trusted {
        headers.remove(FORWARDED);
        let claims = |name: &HeaderName| name.as_str().starts_with("x-forwarded-");
        if headers.keys().any(claims) {
            let claimed: Vec<HeaderName> =
                headers.keys().filter(|name| claims(name)).cloned().collect();
            for name in claimed {
                headers.remove(name);
            }
        }
    }
    headers.append(X_FORWARDED_FOR, peer.text.clone());
    if !headers.contains_key(X_FORWARDED_PROTO) {
        let scheme = if peer.scheme == Scheme::HTTPS { "https" } else { "http" };
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
}

/// Guests see scheme and authority. Plain HTTP/1 with a host is what the engine assumes, and the
/// common case costs nothing.
fn make_absolute(head: &mut http::request::Parts, peer: &Peer) {
    let has_host = head.uri.authority().is_some() || head.headers.contains_key(HOST);
    if has_host && peer.scheme == Scheme::HTTP && head.uri.scheme().is_none() {
        return;
    }
    let uri = std::mem::take(&mut head.uri);
    let mut parts = uri.into_parts();
    parts.scheme = Some(peer.scheme.clone());
    if parts.authority.is_none() {
        let host = head.headers.get(HOST).map(HeaderValue::as_bytes).unwrap_or_default();
        parts.authority =
            Authority::try_from(host).ok().or_else(|| Some(Authority::from_static("localhost")));
    }
    if parts.path_and_query.is_none() {
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
    }
    head.uri = Uri::from_parts(parts).unwrap_or_default();
}

#[cfg(test)]
mod tests;
