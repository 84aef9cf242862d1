//! Takes signed webhooks and puts them into a queue.
//!
//! The header `x-signature-256: sha256=HEX` holds the HMAC-SHA256 of the body under a secret that
//! both sides know, as GitHub and many others send it (under their own header names).

use hmac::{Hmac, Mac};
use sha2::Sha256;
use wfh::http::HeaderMap;
use wfh::{Body, Error, Outgoing, Request, Result, StatusCode, publish, secret};

#[wfh::http]
async fn receive(request: Request<Body>) -> Result<StatusCode> {
    let (head, body) = request.into_parts();
    let body = body.bytes().await?;
    verify(&head.headers, &body)?;
    let content_type = header(&head.headers, "content-type").unwrap_or("application/octet-stream");
    let mut event = Outgoing::new("queue:hooks", "webhook.received").data(content_type, body);
    if let Some(id) = header(&head.headers, "x-delivery-id") {
        event = event.id(id);
    }
    publish::send(event)?;
    Ok(StatusCode::ACCEPTED)
}

/// Compares in constant time: how long it takes tells nothing about how much was right.
fn verify(headers: &HeaderMap, body: &[u8]) -> Result<()> {
    let refused = |why| Error::status(StatusCode::UNAUTHORIZED, why);
    let signature = header(headers, "x-signature-256")
        .and_then(|value| hex::decode(value.strip_prefix("sha256=")?).ok())
        .ok_or_else(|| refused("x-signature-256: sha256=HEX is missing"))?;
    let key = secret::get("WEBHOOK_SECRET")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes())?;
    mac.update(body);
    mac.verify_slice(&signature).map_err(|_| refused("the signature does not match"))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use wfh::test::Host;

    use super::*;

    /// `printf %s '{"n":7}' | openssl dgst -sha256 -hmac hunter2`
    const SIGNATURE: &str =
        "sha256=f409dc4e31fa380ec2e3fc32fca8557e17792657bbb3a7b4a3036eef011ee7b3";

    fn host() -> Host {
        Host::new().secret("WEBHOOK_SECRET", "hunter2").allow_send("queue:hooks")
    }

    fn hook(signature: &str, body: &'static str) -> Request<Body> {
        let request = Request::post("/").header("content-type", "application/json");
        let request = request.header("x-signature-256", signature).header("x-delivery-id", "d-1");
        request.body(body.into()).unwrap()
    }

    #[test]
    fn a_signed_hook_goes_into_the_queue_as_it_came() {
        let host = host();
        let response = host.request(receive, hook(SIGNATURE, r#"{"n":7}"#));
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        assert_eq!(host.sent()[0].bytes(), Some(&br#"{"n":7}"#[..]));
    }

    #[test]
    fn what_is_not_signed_well_is_refused() {
        let zeros = format!("sha256={}", "00".repeat(32));
        let body = r#"{"n":7}"#;
        for (signature, body) in [
            (SIGNATURE, r#"{"n":8}"#),
            (zeros.as_str(), body),
            (&SIGNATURE[..SIGNATURE.len() - 2], body),
            ("sha256=", body),
            ("sha256=no hex", body),
            ("", body),
        ] {
            let host = host();
            let response = host.request(receive, hook(signature, body));
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{signature:?} {body}");
            assert!(host.sent().is_empty(), "{signature:?} went through");
        }
    }

    #[test]
    fn without_its_secret_nothing_passes_and_nothing_leaks() {
        let response = Host::new().request(receive, hook(SIGNATURE, r#"{"n":7}"#));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!String::from_utf8_lossy(response.body()).contains("WEBHOOK_SECRET"));
    }
}
