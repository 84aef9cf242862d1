//! The four handlers of `wfh:function`: called with events, one outcome each.

use std::future::poll_fn;

use wasmtime::component::{Accessor, Resource};
use wasmtime::{AsContextMut, Store};
use wfh_event::{Failure, FailureClass};
use wfh_invoke::{Item, Outcome};

use super::reply::{batch_outcomes, outcome};
use crate::capability::event::{Context, delivery, wit};
use crate::capability::send::Sender;
use crate::instance::{Exports, Instance, trapped};
use crate::sandbox::Sandbox;

/// Calls the handler with `items` and gives one outcome each.
pub(crate) async fn run(
    instance: &mut Instance,
    items: Vec<Item>,
) -> Result<Vec<Outcome>, Failure> {
    let Instance { store, exports, .. } = instance;
    match exports {
        Exports::Event(_) | Exports::AsyncEvent(_) => {
            let mut outcomes = Vec::with_capacity(items.len());
            for item in items {
                outcomes.push(one(store, exports, item).await?);
            }
            Ok(outcomes)
        }
        Exports::Batch(_) | Exports::AsyncBatch(_) => batch(store, exports, items).await,
        Exports::HttpP2(_) | Exports::HttpP3(_) => Err(not_this_kind()),
    }
}

async fn one(
    store: &mut Store<Sandbox>,
    exports: &Exports,
    item: Item,
) -> Result<Outcome, Failure> {
    let delivery = delivery(item, store.data());
    let context = context(store)?;
    let called = match exports {
        Exports::Event(function) => {
            let handler = function.wfh_function_handler();
            let reply = handler.call_handle(store.as_context_mut(), &delivery, context).await;
            reply.map(|reply| (reply, (delivery.event.source, delivery.event.id)))
        }
        Exports::AsyncEvent(function) => {
            let cause = (delivery.event.source.clone(), delivery.event.id.clone());
            let handler = function.wfh_function_async_handler();
            let reply = concurrently(store, async |accessor| {
                handler.call_handle(accessor, delivery, context).await
            });
            reply.await.map(|reply| (reply, cause))
        }
        _ => return Err(not_this_kind()),
    };
    match called {
        Ok((reply, cause)) => Ok(outcome(reply, &cause, sender(store))),
        Err(error) => Err(trapped(store, &error)),
    }
}

async fn batch(
    store: &mut Store<Sandbox>,
    exports: &Exports,
    items: Vec<Item>,
) -> Result<Vec<Outcome>, Failure> {
    let causes: Vec<(String, String)> =
        items.iter().map(|item| (item.event.source.clone(), item.event.id.to_string())).collect();
    let deliveries: Vec<wit::Delivery> =
        items.into_iter().map(|item| delivery(item, store.data())).collect();
    let context = context(store)?;
    let called = match exports {
        Exports::Batch(function) => {
            let handler = function.wfh_function_batch_handler();
            handler.call_handle(store.as_context_mut(), &deliveries, context).await
        }
        Exports::AsyncBatch(function) => {
            let handler = function.wfh_function_async_batch_handler();
            concurrently(store, async |accessor| {
                handler.call_handle(accessor, deliveries, context).await
            })
            .await
        }
        _ => return Err(not_this_kind()),
    };
    match called {
        Ok(reply) => Ok(batch_outcomes(reply, &causes, sender(store))),
        Err(error) => Err(trapped(store, &error)),
    }
}

/// Calls an `async func` and lets the sandbox run until nothing in it is left to do.
async fn concurrently<R: Send + 'static>(
    store: &mut Store<Sandbox>,
    call: impl AsyncFnOnce(&Accessor<Sandbox>) -> wasmtime::Result<R>,
) -> wasmtime::Result<R> {
    let called = store
        .run_concurrent(async |accessor| {
            let reply = call(accessor).await?;
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            wasmtime::Result::Ok(reply)
        })
        .await;
    called.and_then(|result| result)
}

fn sender(store: &Store<Sandbox>) -> Sender<'_> {
    let sandbox = store.data();
    Sender { function: &sandbox.function.config, call: &sandbox.call }
}

fn context(store: &mut Store<Sandbox>) -> Result<Resource<Context>, Failure> {
    let pushed = store.data_mut().table().push(Context);
    pushed.map_err(|error| Failure::new(FailureClass::Internal, error.to_string()))
}

fn not_this_kind() -> Failure {
    Failure::new(FailureClass::Internal, "not an event function")
}
