//! HTTPS: both protocols by ALPN, bounded handshakes, certificates that change while serving.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Client, Host, SLACK, Setup, eventually};

struct Certificate {
    pem: String,
    key: String,
    der: CertificateDer<'static>,
}

fn certificate() -> Certificate {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    Certificate { pem: cert.pem(), key: signing_key.serialize_pem(), der: cert.der().clone() }
}

fn setup(certificate: &Certificate, more: &str) -> Setup {
    Setup::new()
        .file("cert.pem", &certificate.pem)
        .file("key.pem", &certificate.key)
        .toml(&format!("[http]\ntls = {{ cert = \"cert.pem\", key = \"key.pem\" }}\n{more}"))
        .function("hello", "hello", "")
        .function("inspect", "inspect", "")
}

async fn handshake(
    host: &Host,
    trusted: &Certificate,
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(host.address()).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn alpn_picks_the_protocol() {
    let certificate = certificate();
    let host = setup(&certificate, "").serve().await;
    assert_eq!(host.scheme(), "https", "the first line does not say https");
    for protocol in [b"h2".as_slice(), b"http/1.1"] {
        let stream = handshake(&host, &certificate, protocol).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol), "ALPN is not honoured");
        let mut client = match protocol {
            b"h2" => Client::http2(stream, host.address()).await.unwrap(),
            _ => Client::over(stream, host.address()).await.unwrap(),
        };
        assert_eq!(client.get("/hello").await.text(), "hello, world\n");
        let report = client.get("/inspect").await.json();
        let https = serde_json::json!(["x-forwarded-proto", "https"]);
        let headers = report["headers"].as_array().unwrap();
        assert!(headers.contains(&https), "the guest takes HTTPS for HTTP: {report}");
    }
}

#[tokio::test]
async fn a_new_certificate_is_taken_while_connections_go_on() {
    let (first, second) = (certificate(), certificate());
    let host = setup(&first, "").serve().await;
    let stream = handshake(&host, &first, b"http/1.1").await.unwrap();
    let mut kept = Client::over(stream, host.address()).await.unwrap();
    assert_eq!(kept.get("/hello").await.status, 200);

    std::fs::write(host.path("key.pem"), &second.key).unwrap();
    std::fs::write(host.path("cert.pem"), &second.pem).unwrap();
    let taken = async || handshake(&host, &second, b"http/1.1").await.is_ok();
    eventually("the new certificate is served", taken).await;
    assert_eq!(kept.get("/hello").await.status, 200, "an open connection suffers");

    std::fs::write(host.path("cert.pem"), "broken").unwrap();
    host.says("the old certificate stays").await;
    assert!(handshake(&host, &second, b"http/1.1").await.is_ok(), "a broken file stops the server");
    assert_eq!(kept.get("/hello").await.status, 200);
}

#[tokio::test]
async fn handshakes_that_do_not_come_are_given_up() {
    let certificate = certificate();
    let host = setup(&certificate, "handshake_timeout = \"500ms\"").alone().serve().await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(host.raw().await);
    }
    let stream = handshake(&host, &certificate, b"http/1.1").await.unwrap();
    let mut client = Client::over(stream, host.address()).await.unwrap();
    assert_eq!(client.get("/hello").await.status, 200, "silent handshakes hold up others");
    let took = silent[49].closed_after().await;
    assert!(took < Duration::from_millis(600) + SLACK, "a handshake is waited for {took:?}");
    let mut plain = host.raw().await;
    plain.send("GET /hello HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert!(!plain.rest().await.contains("hello"), "HTTPS answers HTTP");
    assert_eq!(client.get("/hello").await.status, 200);
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_refused() {
    let certificate = certificate();
    let other = self::certificate();
    for (pem, key, file) in [
        ("not PEM", certificate.key.as_str(), "cert.pem"),
        (&certificate.pem, "not PEM", "key.pem"),
        (&certificate.pem, &other.key, "cert.pem"),
    ] {
        let ended = setup(&certificate, "").file("cert.pem", pem).file("key.pem", key);
        let ended = ended.serve_refused().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        for part in ["WFH-1009", file] {
            assert!(ended.stderr.contains(part), "no {part:?} in {}", ended.stderr);
        }
    }
}
