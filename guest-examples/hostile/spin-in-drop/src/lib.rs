//! Answers properly, body and all, and then spins for ever in a destructor.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct SpinInDrop;

wasip2::http::proxy::export!(SpinInDrop);

impl Guest for SpinInDrop {
    fn handle(_request: IncomingRequest, response_out: ResponseOutparam) {
        let _spins_at_the_end = Spinner;
        support::text(response_out, 200, "answered; now spinning\n");
    }
}

struct Spinner;

impl Drop for Spinner {
    fn drop(&mut self) {
        loop {
            std::hint::spin_loop();
        }
    }
}
