//! An HTTP function that lacks its greeting: it imports `example:greet/greet`, which no host offers.
//! Composed with `greeter` (`wac plug greeted.wasm --plug greeter.wasm`) it is whole.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use bindings::example::greet::greet::greet;

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package example:greet;
            interface greet { greet: func(name: string) -> string; }
            world greeted { import greet; }
        ",
    });
}

struct Greeted;

wasip2::http::proxy::export!(Greeted);

impl Guest for Greeted {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        support::text(response_out, 200, &greet(path.trim_start_matches('/')));
    }
}
