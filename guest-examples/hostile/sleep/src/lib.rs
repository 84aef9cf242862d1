//! Waits `?ms=N` milliseconds (default 1000) without using the CPU, then answers.

use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

const MS_DEFAULT: u64 = 1000;
const NANOSECONDS_PER_MS: u64 = 1_000_000;

struct Sleep;

wasip2::http::proxy::export!(Sleep);

impl Guest for Sleep {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let ms = support::query_number(&request, "ms").unwrap_or(MS_DEFAULT);
        subscribe_duration(ms.saturating_mul(NANOSECONDS_PER_MS)).block();
        support::text(response_out, 200, &format!("slept {ms} ms\n"));
    }
}
