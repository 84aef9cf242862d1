//! What a function may call over HTTP: `https://api.example.com`, `http://127.0.0.1:*`, `*`.

mod parse;

use std::fmt;
use std::net::IpAddr;

use parse::parse_host;

pub use parse::GrantError;

/// A set of origins that a function may call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpGrant {
    /// The scheme; none stands for both.
    pub scheme: Option<Scheme>,
    /// The hosts.
    pub host: HostPattern,
    /// The ports.
    pub port: PortPattern,
}

/// The scheme of an HTTP URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

/// A set of hosts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// One name, in lower case and punycode.
    Exact(String),
    /// `*.NAME`: every name that ends in `.NAME`, at any depth, but not `NAME` itself.
    Subdomains(String),
    /// One address.
    Ip(IpAddr),
    /// `*`: every name and address.
    Any,
}

/// A set of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PortPattern {
    /// One port.
    Exact(u16),
    /// `*`: every port.
    Any,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// 80 or 443.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl HttpGrant {
    /// Whether a call is granted. `host` may be a name or an address, as a URL writes it.
    #[must_use]
    pub fn matches(&self, scheme: &str, host: &str, port: u16) -> bool {
        let scheme_fits = match self.scheme {
            Some(granted) => scheme.eq_ignore_ascii_case(granted.as_str()),
            None => ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)),
        };
        let port_fits = match self.port {
            PortPattern::Exact(granted) => granted == port,
            PortPattern::Any => true,
        };
        scheme_fits && port_fits && self.host.matches(host)
    }
}

impl HostPattern {
    fn matches(&self, host: &str) -> bool {
        match (self, parse_host(host)) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::Ip(granted), Some(Self::Ip(address))) => *granted == address,
            (Self::Exact(granted), Some(Self::Exact(name))) => *granted == name,
            (Self::Subdomains(granted), Some(Self::Exact(name))) => name
                .strip_suffix(granted.as_str())
                .and_then(|labels| labels.strip_suffix('.'))
                .is_some_and(|labels| !labels.is_empty()),
            _ => false,
        }
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(scheme) = self.scheme else {
            return f.write_str("*");
        };
        write!(f, "{}://{}", scheme.as_str(), self.host)?;
        match self.port {
            PortPattern::Any => f.write_str(":*"),
            PortPattern::Exact(port) if port == scheme.default_port() => Ok(()),
            PortPattern::Exact(port) => write!(f, ":{port}"),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Subdomains(name) => write!(f, "*.{name}"),
            Self::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Any => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests;
