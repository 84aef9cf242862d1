//! Calls that are accepted now and run later: 202 with the invocation's id.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use wfh_invoke::{Accepted, Acceptor, Body, Invocation, Outcome, Reply, Tail, bytes_body};

use crate::answer::{INVOCATION_ID, REPLAYED};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// RFC 7240, section 4.1.
const RESPOND_ASYNC: &str = "respond-async";

/// Whether a client asks for its answer at once.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .filter_map(|preference| preference.split(';').next())
        .any(|name| name.trim().eq_ignore_ascii_case(RESPOND_ASYNC))
}

/// Accepts a call.
pub(crate) async fn accept(acceptor: &Acceptor, invocation: Invocation) -> Outcome {
    match acceptor.accept(invocation).await {
        Ok(accepted) => Outcome::Done(Reply::Http(response(accepted), Tail::default())),
        Err(failure) => Outcome::Failed(failure),
    }
}

fn response(accepted: Accepted) -> Response<Body> {
    let id = accepted.id.to_string();
    let mut response = Response::new(bytes_body(serde_json::json!({ "id": id }).to_string()));
    *response.status_mut() = StatusCode::ACCEPTED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(PREFERENCE_APPLIED, HeaderValue::from_static(RESPOND_ASYNC));
    // A repeated call is told of the first, whose id is not its own.
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(INVOCATION_ID, id);
    }
    if accepted.replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preference_is_found_among_others() {
        let wanted = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.append(PREFER, HeaderValue::from_static(text));
            is_wanted(&headers)
        };
        for text in
            ["respond-async", "Respond-Async", "wait=10, respond-async", "respond-async; x=1"]
        {
            assert!(wanted(text), "{text:?} is not understood");
        }
        for text in ["", "respond-sync", "x=respond-async"] {
            assert!(!wanted(text), "{text:?} is misunderstood");
        }
    }
}
