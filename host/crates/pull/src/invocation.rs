//! The call that pulled items make.

use wfh_event::{Failure, FailureClass, Target};
use wfh_invoke::{Dispatcher, Input, Invocation, Item, Outcome, new_invocation_id};
use wfh_telemetry::TraceContext;

/// Calls `target` with all `items`.
pub async fn call(dispatcher: &Dispatcher, target: &Target, items: Vec<Item>) -> Vec<Outcome> {
    match dispatcher.find(target) {
        Some(stacked) => stacked.invoke.invoke(invocation(target.clone(), items)).await,
        // The manifest changed; the items come back to whoever serves the target next.
        None => {
            let detail = format!("nothing takes {target}");
            vec![Outcome::Failed(Failure::new(FailureClass::Unavailable, detail))]
        }
    }
}

/// One call with all `items`. A single one is the invocation that its delivery names, in its trace.
fn invocation(target: Target, items: Vec<Item>) -> Invocation {
    let only = match items.as_slice() {
        [only] => Some(only),
        _ => None,
    };
    let id = only.and_then(|item| Some(item.delivery.as_ref()?.invocation));
    let hops = items.iter().filter_map(|item| Some(item.delivery.as_ref()?.hops));
    Invocation {
        id: id.unwrap_or_else(new_invocation_id),
        target,
        deadline: None,
        hops: hops.max().unwrap_or(0),
        attempts_max: 1,
        trace: only.and_then(|item| item.trace.clone()).unwrap_or_else(TraceContext::root),
        phases: None,
        input: Input::Events(items),
    }
}
