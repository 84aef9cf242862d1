//! Handles one event at a time.

use serde::{Deserialize, Serialize};
use wfh::{Event, Reject, Reply, Result};

#[derive(Deserialize)]
struct Order {
    id: String,
    quantity: u32,
    price: u32,
}

#[derive(Serialize)]
struct Receipt {
    order: String,
    total: u32,
}

/// A payload that is no `Order` is rejected and never tried again; `Reject` does the same for one
/// that makes no sense, and `RetryAfter` asks to be called again later.
#[wfh::event]
async fn handle(order: Event<Order>) -> Result<Reply> {
    let total = order.quantity.checked_mul(order.price).ok_or(Reject::new("that is too much"))?;
    wfh::tracing::info!(event = order.id(), total, "order taken");
    Ok(Reply::json(&Receipt { order: order.data.id.clone(), total })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wfh::test::{Delivery, Host};

    #[test]
    fn it_answers_a_receipt() {
        let order = Delivery::json(r#"{"id": "a1", "quantity": 2, "price": 21}"#);
        let reply = Host::new().event(handle, order).unwrap();
        assert_eq!(reply.bytes(), Some(&br#"{"order":"a1","total":42}"#[..]));
    }

    #[test]
    fn what_is_no_order_is_rejected() {
        let failure = Host::new().event(handle, Delivery::json(r#"{"id": "a1"}"#)).unwrap_err();
        assert!(failure.is_rejection());
    }
}
