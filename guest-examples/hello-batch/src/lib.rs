//! The smallest batched event function: every delivery is fine. For measuring what surrounds it.

use exports::wfh::function::batch_handler::{BatchReply, Context, Delivery, Failure, Guest};

wit_bindgen::generate!({
    path: "../../wit",
    generate_all,
    inline: "
        package example:hello-batch;
        world hello { export wfh:function/batch-handler@0.1.0; }
    ",
});

struct Hello;

export!(Hello);

impl Guest for Hello {
    fn handle(_deliveries: Vec<Delivery>, _context: &Context) -> Result<BatchReply, Failure> {
        Ok(BatchReply { failed: Vec::new(), emit: Vec::new() })
    }
}
