//! Returns without an answer.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct NoResponse;

wasip2::http::proxy::export!(NoResponse);

impl Guest for NoResponse {
    fn handle(_request: IncomingRequest, _response_out: ResponseOutparam) {}
}
