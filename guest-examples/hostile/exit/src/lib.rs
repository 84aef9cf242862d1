//! Exits with code 3 instead of answering.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Exit;

wasip2::http::proxy::export!(Exit);

impl Guest for Exit {
    fn handle(_request: IncomingRequest, _response_out: ResponseOutparam) {
        std::process::exit(3);
    }
}
