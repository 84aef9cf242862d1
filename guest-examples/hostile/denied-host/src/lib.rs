//! Calls `?url=U` and answers 200 with what came of it: the error code, or the status.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct DeniedHost;

wasip2::http::proxy::export!(DeniedHost);

impl Guest for DeniedHost {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let Some(url) = support::query(&request, "url") else {
            return support::text(response_out, 400, "give ?url=\n");
        };
        let called = support::get(&url, &[]).and_then(|future| support::wait(&future));
        let report = match called {
            Ok(answer) => format!("allowed: {}\n", answer.status()),
            Err(code) => format!("denied: {code:?}\n"),
        };
        support::text(response_out, 200, &report);
    }
}
