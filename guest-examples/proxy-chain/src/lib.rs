//! Calls `http://<x-next>/` and answers with what came back, after `via proxy-chain: `.
//!
//! `x-next: hello.wfh.internal` reaches another function of the same host. The header is passed on,
//! so a proxy-chain that names itself calls itself until the host's hop limit stops it.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, IncomingResponse, OutgoingBody, ResponseOutparam};

struct ProxyChain;

wasip2::http::proxy::export!(ProxyChain);

impl Guest for ProxyChain {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let Some(next) = support::header(&request, "x-next") else {
            return support::text(response_out, 400, "name the next host in x-next\n");
        };
        let called = support::get(&format!("http://{next}/"), &[("x-next", &next)])
            .and_then(|future| support::wait(&future));
        match called {
            Ok(answer) => pass_on(&answer, response_out),
            Err(code) => support::text(response_out, 502, &format!("{next}: {code:?}\n")),
        }
    }
}

fn pass_on(answer: &IncomingResponse, response_out: ResponseOutparam) {
    let from_body = answer.consume().unwrap();
    let from = from_body.stream().unwrap();
    let (to_body, mut to) = support::start(response_out, answer.status(), "text/plain");
    let copied =
        support::send(&mut to, b"via proxy-chain: ").is_ok() && support::splice(&from, &to).is_ok();
    drop(to);
    // Finished only when it is whole: a body that is dropped reaches the caller as cut off.
    if copied {
        let _ = OutgoingBody::finish(to_body, None);
    }
}
