//! From a request to the admin API to the request a function sees.

use bytes::Bytes;
use http::header::{HOST, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use wfh_event::FunctionName;
use wfh_invoke::{Body, bytes_body};

use super::{HEADER_PREFIX, InvokeParams, METHOD, PATH};
use crate::problem::Problem;

/// What goes on as it is. Everything else is about the admin API, its token among it.
const PASSED: &[&str] = &[
    "accept",
    "accept-language",
    "content-encoding",
    "content-type",
    "idempotency-key",
    "traceparent",
    "tracestate",
    "wfh-event-key",
];
const EVENT_PREFIX: &str = "ce-";
/// What a caller must not set: it frames the message, or it is the host's to say.
const REFUSED: &[&str] =
    &["connection", "content-length", "host", "te", "transfer-encoding", "upgrade"];
const OWN_PREFIX: &str = "wfh-";

/// The request that the function is called with.
pub(super) fn guest_request(
    name: &FunctionName,
    head: &Parts,
    params: &InvokeParams,
    body: Bytes,
) -> Result<Request<Body>, Problem> {
    let given = |name: &HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    let method = params.method.as_deref().or_else(|| given(&METHOD)).unwrap_or("POST");
    let path = params.path.as_deref().or_else(|| given(&PATH)).unwrap_or("/");
    let authority = format!("{name}.wfh.internal");
    let mut request = Request::new(bytes_body(body));
    *request.method_mut() = parse_method(method)?;
    *request.uri_mut() = parse_uri(&authority, path)?;
    *request.headers_mut() = headers(&head.headers)?;
    if let Ok(host) = HeaderValue::from_str(&authority) {
        request.headers_mut().insert(HOST, host);
    }
    Ok(request)
}

fn parse_method(text: &str) -> Result<Method, Problem> {
    let method = text.parse().ok().filter(|method| *method != Method::CONNECT);
    method.ok_or_else(|| {
        Problem::parameter(format!("method = {text:?}: expected a method such as GET, not CONNECT"))
    })
}

fn parse_uri(authority: &str, path: &str) -> Result<Uri, Problem> {
    let uri = Uri::builder().scheme("http").authority(authority).path_and_query(path).build();
    let uri = uri.ok().filter(|_| path.starts_with('/'));
    uri.ok_or_else(|| {
        let detail = format!("path = {path:?}: expected a path that begins with `/`, encoded");
        Problem::parameter(detail)
    })
}

fn headers(given: &HeaderMap) -> Result<HeaderMap, Problem> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        if PASSED.contains(&name.as_str()) || name.as_str().starts_with(EVENT_PREFIX) {
            headers.append(name, value.clone());
        }
    }
    for (name, value) in given {
        let Some(text) = name.as_str().strip_prefix(HEADER_PREFIX) else { continue };
        let parsed = text.parse::<HeaderName>().ok();
        let allowed = parsed.filter(|name| {
            !REFUSED.contains(&name.as_str()) && !name.as_str().starts_with(OWN_PREFIX)
        });
        let Some(allowed) = allowed else {
            let detail = format!("{name}: a function is not given a header {text:?} by its caller");
            return Err(Problem::parameter(detail));
        };
        headers.append(allowed, value.clone());
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(headers: &[(&str, &str)], params: &InvokeParams) -> Result<Request<Body>, Problem> {
        let mut request = Request::post("/v1/functions/f/invocations");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        guest_request(&"f".parse().unwrap(), &head, params, Bytes::new())
    }

    #[test]
    fn the_admins_own_headers_do_not_reach_the_function() {
        let request = made(
            &[
                ("authorization", "Bearer admin"),
                ("cookie", "a=b"),
                ("host", "127.0.0.1:3001"),
                ("content-type", "application/json"),
                ("ce-id", "7"),
                ("wfh-invoke-header-authorization", "Bearer its-own"),
                ("wfh-invoke-method", "PUT"),
                ("wfh-invoke-path", "/a?b=c"),
            ],
            &InvokeParams::default(),
        )
        .unwrap();
        assert_eq!(request.method(), Method::PUT);
        assert_eq!(request.uri(), "http://f.wfh.internal/a?b=c");
        let headers = request.headers();
        assert_eq!(headers.get_all("authorization").iter().collect::<Vec<_>>(), ["Bearer its-own"]);
        assert_eq!(
            (&headers["content-type"], &headers["ce-id"]),
            (&"application/json".parse().unwrap(), &"7".parse().unwrap())
        );
        assert_eq!(headers.len(), 4, "{headers:?}");
    }

    #[test]
    fn the_query_wins_and_what_cannot_be_sent_is_refused() {
        let params = |method: &str, path: &str| InvokeParams {
            method: Some(method.to_owned()),
            path: Some(path.to_owned()),
        };
        let headers = [("wfh-invoke-path", "/header")];
        assert_eq!(made(&headers, &params("GET", "/query")).unwrap().uri().path(), "/query");
        for (method, path) in
            [("CONNECT", "/"), ("G T", "/"), ("GET", "x"), ("GET", "/a b"), ("GET", "")]
        {
            assert!(made(&[], &params(method, path)).is_err(), "{method} {path:?} was taken");
        }
        for name in ["host", "content-length", "wfh-path-id", "transfer-encoding"] {
            let header = format!("wfh-invoke-header-{name}");
            let refused = made(&[(&header, "x")], &InvokeParams::default());
            assert!(refused.is_err(), "{name} was taken");
        }
    }
}
