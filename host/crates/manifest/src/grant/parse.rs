//! The text form of a grant.

use std::str::FromStr;

use thiserror::Error;
use url::Host;

use super::{HostPattern, HttpGrant, PortPattern, Scheme};
use crate::read::{Misfit, Text};

/// Why a text is not a grant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GrantError {
    /// It does not begin with `http://` or `https://`.
    #[error("it does not begin with `http://` or `https://`")]
    Scheme,
    /// It holds a user or a password.
    #[error("a user and password have no place here")]
    UserInfo,
    /// It holds a path, a query or a fragment.
    #[error("it goes on behind the port; only scheme, host and port are granted")]
    Path,
    /// The host is not one.
    #[error("`{0}` is not a host name or address; a `*` stands alone or as `*.` in front")]
    Host(String),
    /// The port is not one.
    #[error("`{0}` is not a port; expected a number from 1 to 65535 or `*`")]
    Port(String),
}

impl FromStr for HttpGrant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        if text == "*" {
            let (host, port) = (HostPattern::Any, PortPattern::Any);
            return Ok(Self { scheme: None, host, port });
        }
        let (scheme, authority) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            _ => return Err(GrantError::Scheme),
        };
        if authority.contains(['/', '?', '#', '\\']) {
            return Err(GrantError::Path);
        }
        if authority.contains('@') {
            return Err(GrantError::UserInfo);
        }
        let (host, port) = split_port(authority);
        Ok(Self {
            scheme: Some(scheme),
            host: granted_host(host)?,
            port: port.map_or(Ok(PortPattern::Exact(scheme.default_port())), granted_port)?,
        })
    }
}

/// Splits at the last colon, unless it is inside the brackets of an IPv6 address.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn granted_host(text: &str) -> Result<HostPattern, GrantError> {
    let misfit = || GrantError::Host(text.to_owned());
    match (text, text.strip_prefix("*.")) {
        ("*", _) => Ok(HostPattern::Any),
        (_, Some(parent)) => match parse_host(parent) {
            Some(HostPattern::Exact(name)) => Ok(HostPattern::Subdomains(name)),
            _ => Err(misfit()),
        },
        // An IPv6 address outside brackets cannot be told from its port.
        (_, None) if text.contains(':') && !text.starts_with('[') => Err(misfit()),
        (_, None) => parse_host(text).ok_or_else(misfit),
    }
}

fn granted_port(text: &str) -> Result<PortPattern, GrantError> {
    let misfit = || GrantError::Port(text.to_owned());
    match text {
        "*" => Ok(PortPattern::Any),
        _ if !text.chars().all(|c| c.is_ascii_digit()) => Err(misfit()),
        _ => match text.parse() {
            Ok(0) | Err(_) => Err(misfit()),
            Ok(port) => Ok(PortPattern::Exact(port)),
        },
    }
}

/// One host in its canonical form, without the dot that may end a name.
pub(super) fn parse_host(text: &str) -> Option<HostPattern> {
    let bare_ipv6 = text.contains(':') && !text.starts_with('[');
    let bracketed = if bare_ipv6 { format!("[{text}]") } else { text.to_owned() };
    match Host::parse(&bracketed).ok()? {
        Host::Ipv4(address) => Some(HostPattern::Ip(address.into())),
        Host::Ipv6(address) => Some(HostPattern::Ip(address.into())),
        Host::Domain(name) => match name.strip_suffix('.').unwrap_or(&name) {
            "" => None,
            name if name.contains('*') || name.split('.').any(str::is_empty) => None,
            name => Some(HostPattern::Exact(name.to_owned())),
        },
    }
}

impl Text for HttpGrant {
    const WHAT: &'static str = "a grant";
    const EXPECTED: &'static str = "an origin such as \"https://api.example.com\", \"https://*.example.org\" or \"http://127.0.0.1:*\"";

    fn parse(text: &str) -> Result<Self, Misfit> {
        text.parse().map_err(|error| {
            let nearby = match error {
                GrantError::Scheme => Some(format!("https://{text}")),
                GrantError::Path => text.strip_suffix('/').map(str::to_owned),
                _ => None,
            };
            let suggestion = nearby.filter(|nearby| nearby.parse::<Self>().is_ok());
            Misfit { reason: Some(error.to_string()), suggestion }
        })
    }

    fn print(&self) -> String {
        self.to_string()
    }
}
