//! Takes orders while there is stock: state, an event sent at once, one on success, and retry-later.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wfh::{Event, Outgoing, Reject, Reply, Result, RetryAfter, config, publish, state};

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    item: String,
    quantity: i64,
}

#[wfh::event]
async fn checkout(order: Event<Order>) -> Result<Reply> {
    if order.quantity < 1 {
        return Err(Reject::new("an order of nothing").into());
    }
    let (sold, taken) = (format!("sold/{}", order.item), format!("taken/{}", order.event_key()));
    // Whoever sets it takes the goods; a repeated attempt finds it set.
    if state::compare_and_set(&taken, None, "", Some(A_DAY))?.is_some()
        && state::increment(&sold, order.quantity)? > stock()?
    {
        state::increment(&sold, -order.quantity)?;
        state::delete(&taken)?;
        return Err(RetryAfter::new(Duration::from_secs(30), "sold out; more may come").into());
    }
    let ship = Outgoing::new("queue:warehouse", "shop.order.taken").id(order.event_key());
    publish::send(ship.json(&order.data)?)?;
    let receipt = Outgoing::new("queue:emails", "shop.receipt").json(&order.data)?;
    Ok(Reply::json(&order.data)?.emit(receipt))
}

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn stock() -> Result<i64> {
    Ok(config::require("stock")?.parse()?)
}

#[cfg(test)]
mod tests {
    use wfh::test::{Delivery, Host};

    use super::*;

    fn host() -> Host {
        Host::new().config("stock", "3").allow_send("queue:warehouse")
    }

    fn order(id: &str, quantity: i64) -> Delivery {
        Delivery::of(&Order { item: "tea".into(), quantity }).id(id)
    }

    #[test]
    fn an_order_is_taken_and_confirmed() {
        let host = host();
        let reply = host.event(checkout, order("a", 2)).unwrap();
        assert_eq!(reply.emitted()[0].target(), "queue:emails");
        assert_eq!(host.sent()[0].read_json::<Order>().unwrap().quantity, 2);
        assert_eq!(host.state_of("sold/tea").as_deref(), Some(&b"2"[..]));
    }

    #[test]
    fn a_second_attempt_takes_nothing_more() {
        let host = host();
        for attempt in 1..=2 {
            host.event(checkout, order("a", 2).attempt(attempt)).unwrap();
        }
        assert_eq!(host.state_of("sold/tea").as_deref(), Some(&b"2"[..]));
    }

    #[test]
    fn what_is_sold_out_is_tried_later() {
        let host = host().state("sold/tea", "2");
        let error = host.event(checkout, order("a", 2)).unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
        assert_eq!(host.state_of("sold/tea").as_deref(), Some(&b"2"[..]), "nothing is taken");
        assert!(host.event(checkout, order("a", 1)).is_ok(), "the same event may succeed later");
    }

    #[test]
    fn an_order_of_nothing_is_rejected() {
        assert!(host().event(checkout, order("a", 0)).unwrap_err().is_rejection());
    }
}
