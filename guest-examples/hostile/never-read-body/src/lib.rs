//! Answers without reading the request body.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct NeverReadBody;

wasip2::http::proxy::export!(NeverReadBody);

impl Guest for NeverReadBody {
    fn handle(_request: IncomingRequest, response_out: ResponseOutparam) {
        support::text(response_out, 200, "the body was not read\n");
    }
}
