//! Refuses to be prepared: `init` answers with an error.

use wasip2::exports::http::incoming_handler::Guest as HttpGuest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use bindings::exports::wfh::function::init::Guest as InitGuest;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package example:init-fails;
            world init-fails { export wfh:function/init@0.1.0; }
        ",
    });
}

struct InitFails;

bindings::export!(InitFails with_types_in bindings);
wasip2::http::proxy::export!(InitFails);

impl InitGuest for InitFails {
    fn init() -> Result<(), String> {
        Err("no luck".into())
    }
}

impl HttpGuest for InitFails {
    fn handle(_request: IncomingRequest, response_out: ResponseOutparam) {
        support::text(response_out, 200, "served without init\n");
    }
}
