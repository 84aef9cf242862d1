use super::*;

fn prepared(request: Request<()>, peer: &Peer) -> http::request::Parts {
    let (mut head, ()) = request.into_parts();
    prepare(&mut head, peer, [("id", "7")].into_iter()).unwrap();
    head
}

fn stranger() -> Peer {
    Peer::new("203.0.113.9".parse().unwrap(), false, &[])
}

#[test]
fn hop_by_hop_headers_and_those_they_list_end_here() {
    let request = Request::get("/")
        .header("host", "h")
        .header("connection", "keep-alive, x-secret")
        .header("keep-alive", "timeout=5")
        .header("x-secret", "1")
        .header("te", "trailers")
        .header("accept", "*/*")
        .body(())
        .unwrap();
    let head = prepared(request, &stranger());
    for gone in ["connection", "keep-alive", "x-secret", "te"] {
        assert!(!head.headers.contains_key(gone), "{gone} was passed on");
    }
    assert!(head.headers.contains_key("accept"));
}

#[test]
fn the_consoles_cookie_is_no_guests_business() {
    for (sent, kept) in [
        (&["wfh_console=secret"][..], None),
        (&["a=b; wfh_console=secret; c=d"], Some("a=b; c=d")),
        (&["a=b", "wfh_console=secret"], Some("a=b")),
        (&["not_wfh_console=x; c=d"], Some("not_wfh_console=x; c=d")),
    ] {
        let mut request = Request::get("/").header("host", "h");
        for cookie in sent {
            request = request.header("cookie", *cookie);
        }
        let head = prepared(request.body(()).unwrap(), &stranger());
        let found = head.headers.get("cookie").map(|value| value.to_str().unwrap());
        assert_eq!(found, kept, "{sent:?}");
    }
}

#[test]
fn a_client_cannot_speak_in_the_hosts_name() {
    let request = Request::get("/")
        .header("host", "h")
        .header("wfh-path-id", "forged")
        .header("wfh-attempt", "9")
        .header("wfh-event-key", "k")
        .body(())
        .unwrap();
    let head = prepared(request, &stranger());
    assert_eq!(head.headers["wfh-path-id"], "7");
    assert!(!head.headers.contains_key("wfh-attempt"));
    assert_eq!(head.headers["wfh-event-key"], "k");
}

#[test]
fn forwarding_headers_are_believed_from_trusted_proxies_only() {
    let request = || {
        Request::get("/")
            .header("host", "h")
            .header("x-forwarded-for", "198.51.100.1")
            .header("x-forwarded-proto", "https")
            .header("forwarded", "for=198.51.100.1")
            .body(())
            .unwrap()
    };
    let head = prepared(request(), &stranger());
    assert_eq!(head.headers["x-forwarded-for"], "203.0.113.9");
    assert_eq!(head.headers["x-forwarded-proto"], "http");
    assert!(!head.headers.contains_key("forwarded"));
    let proxy = Peer::new("10.0.0.1".parse().unwrap(), false, &["10.0.0.0/8".parse().unwrap()]);
    let head = prepared(request(), &proxy);
    let seen: Vec<_> = head.headers.get_all("x-forwarded-for").iter().collect();
    assert_eq!(seen, ["198.51.100.1", "10.0.0.1"]);
    assert_eq!(head.headers["x-forwarded-proto"], "https");
}

#[test]
fn over_tls_the_uri_says_https_and_names_the_host() {
    let request = Request::get("/a?b").header("host", "shop.example").body(()).unwrap();
    let peer = Peer::new("203.0.113.9".parse().unwrap(), true, &[]);
    assert_eq!(prepared(request, &peer).uri, "https://shop.example/a?b");
}

#[test]
fn requests_that_could_be_read_two_ways_are_refused() {
    let base = || Request::get("/").header("host", "h");
    assert!(check(&base().body(()).unwrap()).is_ok());
    assert!(check(&base().header("host", "other").body(()).unwrap()).is_err());
    assert!(check(&Request::get("/").body(()).unwrap()).is_err());
    let both = base().header("content-length", "5").header("transfer-encoding", "chunked");
    assert!(check(&both.body(()).unwrap()).is_err());
    assert!(check(&Request::connect("/x").header("host", "h").body(()).unwrap()).is_err());
    assert!(check(&Request::get("/").header("host", "a b").body(()).unwrap()).is_err());
}

#[test]
fn a_path_parameter_that_no_header_can_hold_is_refused() {
    let (mut head, ()) = Request::get("/").header("host", "h").body(()).unwrap().into_parts();
    assert!(prepare(&mut head, &stranger(), [("id", "a\r\nb")].into_iter()).is_err());
    prepare(&mut head, &stranger(), [("id", "\u{fc}")].into_iter()).unwrap();
    assert_eq!(head.headers["wfh-path-id"].as_bytes(), "\u{fc}".as_bytes());
}
