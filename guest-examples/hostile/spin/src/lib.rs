//! Burns CPU for ever, or with `?ms=N` for N milliseconds before it answers.

use std::hint::black_box;
use std::time::{Duration, Instant};

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Spin;

wasip2::http::proxy::export!(Spin);

impl Guest for Spin {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let Some(ms) = support::query_number(&request, "ms") else {
            loop {
                std::hint::spin_loop();
            }
        };
        spin(Duration::from_millis(ms));
        support::text(response_out, 200, &format!("spun {ms} ms\n"));
    }
}

/// Looks at the clock only now and then: a host call is a chance for the host to step in, and this
/// guest is here to deny it one.
fn spin(duration: Duration) {
    let started = Instant::now();
    while started.elapsed() < duration {
        for turn in 0..100_000 {
            black_box(turn);
        }
    }
}
