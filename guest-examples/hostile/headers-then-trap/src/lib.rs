//! Sends its headers and the first chunk of a body, then traps.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct HeadersThenTrap;

wasip2::http::proxy::export!(HeadersThenTrap);

impl Guest for HeadersThenTrap {
    fn handle(_request: IncomingRequest, response_out: ResponseOutparam) {
        let (_body, mut stream) = support::start(response_out, 200, "text/plain");
        let _ = support::send(&mut stream, b"the first chunk\n");
        std::process::abort();
    }
}
