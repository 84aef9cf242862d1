//! Prints in `init`, which leaves standard output open: that cannot be carried into a snapshot.

use wasip2::exports::http::incoming_handler::Guest as HttpGuest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use bindings::exports::wfh::function::init::Guest as InitGuest;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package example:init-prints;
            world init-prints { export wfh:function/init@0.1.0; }
        ",
    });
}

struct InitPrints;

bindings::export!(InitPrints with_types_in bindings);
wasip2::http::proxy::export!(InitPrints);

impl InitGuest for InitPrints {
    fn init() -> Result<(), String> {
        println!("init printed this");
        Ok(())
    }
}

impl HttpGuest for InitPrints {
    fn handle(_request: IncomingRequest, response_out: ResponseOutparam) {
        support::text(response_out, 200, "served without init\n");
    }
}
