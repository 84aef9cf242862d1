//! Calls several URLs at once and reports what each one answered.
//!
//! `?url=U`, repeated, or the header `x-url`, repeated. All requests are sent before any answer is
//! awaited, and one `poll` waits for all of them together.

mod fetch;

use serde_json::Value;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};
use wasip2::io::poll;

use fetch::Fetch;

struct FetchFanout;

wasip2::http::proxy::export!(FetchFanout);

impl Guest for FetchFanout {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let urls = urls(&request);
        if urls.is_empty() {
            return support::text(response_out, 400, "give ?url= or the header x-url\n");
        }
        let mut fetches: Vec<Fetch> = urls.iter().map(|url| Fetch::send(url)).collect();
        run(&mut fetches);

        let report: Value = fetches.iter().map(Fetch::report).collect();
        support::respond(response_out, 200, "application/json", report.to_string().as_bytes());
    }
}

fn urls(request: &IncomingRequest) -> Vec<String> {
    let urls = support::query_all(request, "url");
    if !urls.is_empty() {
        return urls;
    }
    let headers = request.headers().get("x-url");
    headers.into_iter().filter_map(|value| String::from_utf8(value).ok()).collect()
}

/// Advances whichever fetch is ready until all are done.
fn run(fetches: &mut [Fetch]) {
    loop {
        let (indices, pollables): (Vec<_>, Vec<_>) = fetches
            .iter()
            .enumerate()
            .filter_map(|(index, fetch)| Some((index, fetch.subscribe()?)))
            .unzip();
        if pollables.is_empty() {
            return;
        }
        let ready = poll::poll(&pollables.iter().collect::<Vec<_>>());
        // A pollable is a child of what it watches and has to go first.
        drop(pollables);
        for position in ready {
            fetches[indices[position as usize]].advance();
        }
    }
}
