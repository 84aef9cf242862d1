//! A batched event function on WASI 0.3: it awaits inside, fails the deliveries whose data is `bad`
//! and emits an event to `queue:done` for each of the others, unless its type is `quiet`.

use std::time::Duration;

use wasip3::clocks::monotonic_clock;

use exports::wfh::function::async_batch_handler::{BatchReply, Context, Delivery, Failure, Guest};
use wfh::function::types::{Event, FailedItem, Outgoing};

wit_bindgen::generate!({
    path: "../../wit",
    world: "wfh:function/async-batch-function",
});

struct AsyncBatch;

export!(AsyncBatch);

const PAUSE: Duration = Duration::from_millis(10);

impl Guest for AsyncBatch {
    async fn handle(deliveries: Vec<Delivery>, _context: &Context) -> Result<BatchReply, Failure> {
        monotonic_clock::wait_for(PAUSE.as_nanos() as u64).await;
        let (mut failed, mut emit) = (Vec::new(), Vec::new());
        for (index, delivery) in (0..).zip(deliveries) {
            if delivery.event.data.as_deref() == Some(b"bad") {
                failed.push(FailedItem { index, failure: Failure::Reject("bad data".into()) });
            } else if delivery.event.type_ != "quiet" {
                emit.push((index, done(delivery.event)));
            }
        }
        Ok(BatchReply { failed, emit })
    }
}

fn done(cause: Event) -> Outgoing {
    let event = Event { id: String::new(), source: String::new(), type_: "done".into(), ..cause };
    let target = "queue:done".to_owned();
    Outgoing { target, event, key: None, headers: Vec::new(), delay_ms: None }
}
