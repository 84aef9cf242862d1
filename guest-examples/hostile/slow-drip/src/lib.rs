//! Answers with one byte each 200 ms, for ever or with `?n=N` until N bytes are out.

use std::thread;
use std::time::Duration;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, OutgoingBody, ResponseOutparam};

const PAUSE: Duration = Duration::from_millis(200);

struct SlowDrip;

wasip2::http::proxy::export!(SlowDrip);

impl Guest for SlowDrip {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let bytes = support::query_number(&request, "n").unwrap_or(u64::MAX);
        let (body, mut stream) = support::start(response_out, 200, "text/plain");
        for _ in 0..bytes {
            if support::send(&mut stream, b".").is_err() {
                return;
            }
            thread::sleep(PAUSE);
        }
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}
