//! Calls that are accepted now and run later: 202 with the invocation's id.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use wfh_invoke::{
    Accepted, Acceptor, Body, Invocation, Outcome, RESPOND_ASYNC, Reply, Tail, bytes_body,
};

use crate::answer::{INVOCATION_ID, REPLAYED};

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

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
