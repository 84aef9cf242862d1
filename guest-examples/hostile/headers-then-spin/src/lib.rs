//! Sends its headers and the first chunk of a body, then spins for ever.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct HeadersThenSpin;

wasip2::http::proxy::export!(HeadersThenSpin);

impl Guest for HeadersThenSpin {
    fn handle(_request: IncomingRequest, response_out: ResponseOutparam) {
        let (_body, mut stream) = support::start(response_out, 200, "text/plain");
        let _ = support::send(&mut stream, b"the first chunk\n");
        loop {
            std::hint::spin_loop();
        }
    }
}
