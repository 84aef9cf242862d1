//! Panics while it is prepared.

use wasip2::exports::http::incoming_handler::Guest as HttpGuest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use bindings::exports::wfh::function::init::Guest as InitGuest;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package example:init-panics;
            world init-panics { export wfh:function/init@0.1.0; }
        ",
    });
}

struct InitPanics;

bindings::export!(InitPanics with_types_in bindings);
wasip2::http::proxy::export!(InitPanics);

impl InitGuest for InitPanics {
    fn init() -> Result<(), String> {
        panic!("this init panics");
    }
}

impl HttpGuest for InitPanics {
    fn handle(_request: IncomingRequest, response_out: ResponseOutparam) {
        support::text(response_out, 200, "served without init\n");
    }
}
