//! Which addresses a granted name may lead to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use futures_util::future::BoxFuture;
use wasmtime_wasi_http::Error;
use wfh_manifest::{HostPattern, HttpGrant};

/// Resolves host names. The connection is made to the addresses it gives, after they were checked:
/// a name that resolves differently a second time changes nothing.
pub trait Resolve: Send + Sync {
    /// All addresses of `host`.
    fn resolve(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver: hosts file, search domains and all.
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// How far from the open internet an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    Public,
    /// Loopback, private, unique local, carrier-grade NAT, ...: what an exact grant may resolve to.
    Private,
    /// Link-local and cloud metadata: only by literal.
    LinkLocal,
}

/// Looks through IPv4 addresses that are written as IPv6 ones.
fn canonical(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    match v6.segments() {
        // Mapped, ::ffff:a.b.c.d, and NAT64, 64:ff9b::a.b.c.d.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        // 6to4, 2002:a.b.c.d::.
        [0x2002, high, low, ..] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => ip,
    }
}

pub(super) fn reach(ip: IpAddr) -> Reach {
    match canonical(ip) {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => reach_v6(v6),
    }
}

fn reach_v4(ip: Ipv4Addr) -> Reach {
    let [a, b, c, _] = ip.octets();
    // 100.100.100.200 and 192.0.0.192 serve metadata in two clouds.
    let metadata = ip == Ipv4Addr::new(100, 100, 100, 200) || ip == Ipv4Addr::new(192, 0, 0, 192);
    if ip.is_link_local() || metadata {
        return Reach::LinkLocal;
    }
    let private = ip.is_private()
        || ip.is_loopback()
        || ip.is_broadcast()
        || ip.is_multicast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && (b == 18 || b == 19));
    if private { Reach::Private } else { Reach::Public }
}

fn reach_v6(ip: Ipv6Addr) -> Reach {
    // fd00:ec2::254 serves metadata in one cloud.
    let metadata = ip == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    if ip.is_unicast_link_local() || metadata {
        return Reach::LinkLocal;
    }
    let global_unicast = ip.segments().first().is_some_and(|first| first & 0xe000 == 0x2000);
    // Documentation, and Teredo, which wraps an IPv4 address in disguise.
    let special = matches!(ip.segments(), [0x2001, 0xdb8 | 0, ..]);
    if global_unicast && !special { Reach::Public } else { Reach::Private }
}

/// How far the grants that cover a destination let it reach.
pub(super) fn granted_reach(
    grants: &[HttpGrant],
    (scheme, host, port): (&str, &str, u16),
) -> Reach {
    let literal = literal(host).map(canonical);
    grants
        .iter()
        .filter(|grant| grant.matches(scheme, host, port))
        .map(|grant| match &grant.host {
            HostPattern::Ip(ip) if Some(canonical(*ip)) == literal => Reach::LinkLocal,
            HostPattern::Exact(name) if name.eq_ignore_ascii_case(host) => Reach::Private,
            HostPattern::Ip(_)
            | HostPattern::Exact(_)
            | HostPattern::Subdomains(_)
            | HostPattern::Any => Reach::Public,
        })
        .max()
        .unwrap_or(Reach::Public)
}

/// The address a URI's host writes out, if it does.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.parse().ok()
}

/// Keeps the addresses that `allowed` covers.
pub(super) fn check(
    addresses: Vec<SocketAddr>,
    allowed: Reach,
    ports_denied: &[u16],
) -> Result<Vec<SocketAddr>, Error> {
    if addresses.is_empty() {
        return Err(Error::DestinationNotFound);
    }
    let reachable = |address: &SocketAddr| {
        reach(address.ip()) <= allowed
            && !(ports_denied.contains(&address.port()) && is_this_machine(address.ip()))
    };
    let kept: Vec<SocketAddr> = addresses.into_iter().filter(reachable).collect();
    if kept.is_empty() { Err(Error::DestinationIpProhibited) } else { Ok(kept) }
}

/// An address that a socket can be bound to is one of ours.
fn is_this_machine(ip: IpAddr) -> bool {
    let ip = canonical(ip);
    ip.is_loopback() || ip.is_unspecified() || UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(texts: &[&str]) -> Vec<HttpGrant> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn http(host: &str) -> (&str, &str, u16) {
        ("http", host, 80)
    }

    fn https(host: &str) -> (&str, &str, u16) {
        ("https", host, 443)
    }

    #[test]
    fn addresses_are_told_apart_also_when_written_as_ipv6() {
        for (text, expected) in [
            ("93.184.216.34", Reach::Public),
            ("10.1.2.3", Reach::Private),
            ("127.0.0.1", Reach::Private),
            ("0.0.0.0", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("169.254.169.254", Reach::LinkLocal),
            ("::ffff:169.254.169.254", Reach::LinkLocal),
            ("64:ff9b::a9fe:a9fe", Reach::LinkLocal),
            ("::ffff:10.0.0.1", Reach::Private),
            ("::1", Reach::Private),
            ("::", Reach::Private),
            ("fe80::1", Reach::LinkLocal),
            ("fd00:ec2::254", Reach::LinkLocal),
            ("fd12::1", Reach::Private),
            ("2002:7f00:1::", Reach::Private),
            ("2002:a9fe:a9fe::1", Reach::LinkLocal),
            ("2001:0:7f00:1::", Reach::Private),
            ("2606:4700::1111", Reach::Public),
        ] {
            assert_eq!(reach(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn a_wildcard_never_reaches_a_private_address_and_a_name_never_the_metadata() {
        let wildcard =
            granted_reach(&grants(&["https://*.example.org", "*"]), https("a.example.org"));
        assert_eq!(wildcard, Reach::Public);
        let exact = granted_reach(&grants(&["https://api.example.com"]), https("api.example.com"));
        assert_eq!(exact, Reach::Private);
        let metadata = "169.254.169.254:80".parse().unwrap();
        assert!(check(vec![metadata], exact, &[]).is_err());
        let literal = granted_reach(&grants(&["http://169.254.169.254"]), http("169.254.169.254"));
        assert!(check(vec![metadata], literal, &[]).is_ok());
        assert_eq!(granted_reach(&grants(&["*"]), http("10.0.0.1")), Reach::Public);
        let beside = grants(&["https://api.example.com", "*"]);
        let other_port = granted_reach(&beside, http("api.example.com"));
        assert_eq!(other_port, Reach::Public, "an exact grant opened another port of its host");
    }

    #[test]
    fn the_admin_port_is_out_of_reach_on_every_local_address() {
        for text in ["127.0.0.1:3001", "127.9.9.9:3001", "[::1]:3001", "0.0.0.0:3001"] {
            let address = text.parse().unwrap();
            assert!(check(vec![address], Reach::LinkLocal, &[3001]).is_err(), "{text}");
        }
        let other = "127.0.0.1:3002".parse().unwrap();
        assert!(check(vec![other], Reach::LinkLocal, &[3001]).is_ok());
    }
}
