//! An event function on WASI 0.3: it awaits inside, then answers with the data of its event.
//!
//! The event type `reject` is rejected; `panic` traps after it waited.

use std::time::Duration;

use wasip3::clocks::monotonic_clock;

use exports::wfh::function::async_handler::{Context, Delivery, Failure, Guest, Reply};

wit_bindgen::generate!({
    path: "../../wit",
    world: "wfh:function/async-event-function",
});

struct AsyncEvent;

export!(AsyncEvent);

const PAUSE: Duration = Duration::from_millis(10);

impl Guest for AsyncEvent {
    async fn handle(delivery: Delivery, _context: &Context) -> Result<Reply, Failure> {
        monotonic_clock::wait_for(PAUSE.as_nanos() as u64).await;
        let event = delivery.event;
        match event.type_.as_str() {
            "reject" => Err(Failure::Reject("no".into())),
            "panic" => panic!("asked to panic"),
            _ => Ok(Reply {
                datacontenttype: event.datacontenttype,
                data: event.data,
                attributes: Vec::new(),
                emit: Vec::new(),
            }),
        }
    }
}
