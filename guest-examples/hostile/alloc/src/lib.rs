//! Takes memory in blocks of 1 MiB and touches it until it is denied more, which aborts the guest.
//! With `?mib=N` it stops after N blocks and answers.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

const BLOCK_BYTES: usize = 1024 * 1024;

struct Alloc;

wasip2::http::proxy::export!(Alloc);

impl Guest for Alloc {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let blocks_max = support::query_number(&request, "mib").unwrap_or(u64::MAX);
        let mut blocks = Vec::new();
        while (blocks.len() as u64) < blocks_max {
            // Ones, not zeroes: fresh memory is zero already and would not be touched.
            blocks.push(std::hint::black_box(vec![1_u8; BLOCK_BYTES]));
        }
        support::text(response_out, 200, &format!("allocated {} MiB\n", blocks.len()));
    }
}
