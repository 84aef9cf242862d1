//! `init` never comes to an end.

use wasip2::exports::http::incoming_handler::Guest as HttpGuest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use bindings::exports::wfh::function::init::Guest as InitGuest;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package example:init-spins;
            world init-spins { export wfh:function/init@0.1.0; }
        ",
    });
}

struct InitSpins;

bindings::export!(InitSpins with_types_in bindings);
wasip2::http::proxy::export!(InitSpins);

impl InitGuest for InitSpins {
    fn init() -> Result<(), String> {
        loop {
            std::hint::spin_loop();
        }
    }
}

impl HttpGuest for InitSpins {
    fn handle(_request: IncomingRequest, response_out: ResponseOutparam) {
        support::text(response_out, 200, "served without init\n");
    }
}
