//! Recurses without end until the stack is used up; with `?depth=N` it comes back and answers.

use std::hint::black_box;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct DeepRecursion;

wasip2::http::proxy::export!(DeepRecursion);

impl Guest for DeepRecursion {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let depth = support::query_number(&request, "depth").unwrap_or(u64::MAX);
        let sum = sum_to(depth);
        support::text(response_out, 200, &format!("the sum to {depth} is {sum}\n"));
    }
}

/// The sum is taken after the return, out of the optimizer's sight, so every level keeps its frame.
fn sum_to(depth: u64) -> u64 {
    if depth == 0 {
        return 0;
    }
    black_box(sum_to(black_box(depth) - 1)).wrapping_add(depth)
}
