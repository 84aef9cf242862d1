use super::*;
use proptest::prelude::*;

fn grant(text: &str) -> HttpGrant {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn what_a_grant_matches() {
    let cases = [
        ("https://api.example.com", "https", "api.example.com", 443, true),
        ("https://api.example.com", "HTTPS", "API.example.com.", 443, true),
        ("https://api.example.com", "http", "api.example.com", 80, false),
        ("https://api.example.com", "https", "api.example.com", 8443, false),
        ("https://*.example.org", "https", "a.example.org", 443, true),
        ("https://*.example.org", "https", "a.b.example.org", 443, true),
        ("https://*.example.org", "https", "example.org", 443, false),
        ("https://*.example.org", "https", "badexample.org", 443, false),
        ("https://*.example.org", "https", ".example.org", 443, false),
        ("http://127.0.0.1:*", "http", "127.0.0.1", 9, true),
        ("http://127.0.0.1:*", "http", "0x7f.1", 9, true),
        ("http://127.0.0.1:*", "http", "127.0.0.2", 9, false),
        ("http://127.0.0.1:*", "http", "::ffff:127.0.0.1", 9, false),
        ("http://[::1]:80", "http", "[::1]", 80, true),
        ("http://[::1]:80", "http", "::1", 80, true),
        ("https://münchen.example", "https", "xn--mnchen-3ya.example", 443, true),
        ("https://*", "https", "anything.example", 443, true),
        ("https://*", "https", "10.0.0.1", 443, true),
        ("https://*", "http", "anything.example", 443, false),
        ("*", "http", "anything.example", 1, true),
        ("*", "ftp", "anything.example", 21, false),
        ("*", "http", "not a host", 80, false),
    ];
    for (text, scheme, host, port, expected) in cases {
        let matched = grant(text).matches(scheme, host, port);
        assert_eq!(matched, expected, "{text} and {scheme}://{host}:{port}");
    }
}

#[test]
fn what_is_no_grant() {
    for (text, error) in [
        ("api.example.com", GrantError::Scheme),
        ("ftp://example.com", GrantError::Scheme),
        ("https://example.com/", GrantError::Path),
        ("https://example.com/a", GrantError::Path),
        ("https://example.com?a", GrantError::Path),
        ("https://u:p@example.com", GrantError::UserInfo),
        ("https://", GrantError::Host(String::new())),
        ("https://a*.example.com", GrantError::Host("a*.example.com".to_owned())),
        ("https://*.*.example.com", GrantError::Host("*.*.example.com".to_owned())),
        ("https://*.10.0.0.1", GrantError::Host("*.10.0.0.1".to_owned())),
        ("https://a..b", GrantError::Host("a..b".to_owned())),
        ("https://::1", GrantError::Host(":".to_owned())),
        ("https://example.com:0", GrantError::Port("0".to_owned())),
        ("https://example.com:", GrantError::Port(String::new())),
        ("https://example.com:+80", GrantError::Port("+80".to_owned())),
        ("https://example.com:99999", GrantError::Port("99999".to_owned())),
    ] {
        assert_eq!(text.parse::<HttpGrant>(), Err(error), "{text}");
    }
}

fn any_grant() -> impl Strategy<Value = HttpGrant> {
    let name = "[a-z]{1,8}(\\.[a-z]{2,5}){0,3}";
    let host = prop_oneof![
        name.prop_map(HostPattern::Exact),
        name.prop_map(HostPattern::Subdomains),
        any::<IpAddr>().prop_map(HostPattern::Ip),
        Just(HostPattern::Any),
    ];
    let scheme = prop_oneof![Just(Scheme::Http), Just(Scheme::Https)];
    let port = prop_oneof![(1..=u16::MAX).prop_map(PortPattern::Exact), Just(PortPattern::Any)];
    (scheme, host, port).prop_map(|(scheme, host, port)| HttpGrant {
        scheme: Some(scheme),
        host,
        port,
    })
}

proptest! {
    #[test]
    fn a_grant_survives_print_and_parse(grant in any_grant()) {
        prop_assert_eq!(grant.to_string().parse::<HttpGrant>(), Ok(grant));
    }

    #[test]
    fn parsing_never_panics_and_prints_what_it_took(text in "(https?://)?[a-z0-9.*:@/\\[\\]-]{0,30}") {
        if let Ok(grant) = text.parse::<HttpGrant>() {
            prop_assert_eq!(grant.to_string().parse::<HttpGrant>(), Ok(grant));
        }
    }

    #[test]
    fn an_exact_grant_matches_its_own_origin_only(
        grant in any_grant(), other in "[a-z]{1,8}\\.test", port in 1..=u16::MAX,
    ) {
        if let (HostPattern::Exact(name), Some(scheme)) = (&grant.host, grant.scheme) {
            let granted_port = match grant.port { PortPattern::Exact(port) => port, PortPattern::Any => port };
            prop_assert!(grant.matches(scheme.as_str(), name, granted_port));
            prop_assert_eq!(grant.matches(scheme.as_str(), &other, granted_port), *name == other);
        }
    }

    #[test]
    fn subdomains_end_at_a_dot(parent in "[a-z]{1,6}\\.[a-z]{2,4}", label in "[a-z]{1,6}") {
        let grant = grant(&format!("https://*.{parent}"));
        let below = format!("{label}.{parent}");
        let beside = format!("{label}{parent}");
        prop_assert!(grant.matches("https", &below, 443));
        prop_assert!(!grant.matches("https", &beside, 443));
        prop_assert!(!grant.matches("https", &parent, 443));
    }
}
