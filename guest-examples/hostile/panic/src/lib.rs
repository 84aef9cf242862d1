//! Panics: a message on stderr, then a trap.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Panic;

wasip2::http::proxy::export!(Panic);

impl Guest for Panic {
    fn handle(_request: IncomingRequest, _response_out: ResponseOutparam) {
        panic!("this guest panics on every request");
    }
}
