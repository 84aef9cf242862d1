//! Streams the request body back as it arrives.
//!
//! The bytes never enter the guest: `support::splice` has the host move them from the request to
//! the response, so a body of any size passes through with constant guest memory.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct EchoStream;

wasip2::http::proxy::export!(EchoStream);

impl Guest for EchoStream {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let response = OutgoingResponse::new(echoed_headers(&request));
        let response_body = response.body().unwrap();
        ResponseOutparam::set(response_out, Ok(response));

        let request_body = request.consume().unwrap();
        let from = request_body.stream().unwrap();
        let to = response_body.write().unwrap();
        let copied = support::splice(&from, &to);
        drop(to);

        // A response body that is dropped instead of finished reaches the caller as cut off, which
        // is the truth when the request broke off halfway.
        if copied.is_ok() {
            let _ = OutgoingBody::finish(response_body, None);
        }
    }
}

fn echoed_headers(request: &IncomingRequest) -> Fields {
    let headers = Fields::new();
    let content_type = request.headers().get("content-type");
    headers.set("content-type", &content_type).unwrap();
    headers
}
