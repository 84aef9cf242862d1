//! Opens handles and keeps them until it is denied more, then answers how many it got.
//!
//! By default it opens a file, `/assets` or `?path=P`, again and again. With `?kind=pollables` it
//! makes timers instead; that call has no way to refuse, so there the denial is a trap. `?max=N`
//! stops earlier than the default of a million.

use std::fs::File;
use std::iter;

use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

const HANDLES_MAX: u64 = 1_000_000;

struct FdHog;

wasip2::http::proxy::export!(FdHog);

impl Guest for FdHog {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let max = support::query_number(&request, "max").unwrap_or(HANDLES_MAX);
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let report = match support::query(&request, "kind").as_deref() {
            Some("pollables") => hog_pollables(max),
            _ => {
                let path = support::query(&request, "path").unwrap_or_else(|| "/assets".into());
                hog_files(&path, max)
            }
        };
        support::text(response_out, 200, &report);
    }
}

fn hog_files(path: &str, max: usize) -> String {
    let mut files = Vec::new();
    while files.len() < max {
        match File::open(path) {
            Ok(file) => files.push(file),
            Err(error) => return format!("{} files, then: {error}\n", files.len()),
        }
    }
    format!("{} files, never denied\n", files.len())
}

fn hog_pollables(max: usize) -> String {
    let pollables: Vec<_> = iter::repeat_with(|| subscribe_duration(0)).take(max).collect();
    format!("{} pollables, never denied\n", pollables.len())
}
