//! `wfh:function/types`: what an event function asks about its invocation, and its values.

use tokio::time::Instant;
use wasmtime::component::{HasSelf, Linker, Resource};
use wfh_invoke::Item;

use crate::sandbox::Sandbox;

mod bindings {
    #![allow(missing_docs, unreachable_pub, reason = "generated from wit/function.wit")]
    #![allow(clippy::all, reason = "generated")]

    wasmtime::component::bindgen!({
        path: "../../../wit",
        world: "event-function",
        imports: { default: trappable },
        exports: { default: async },
        require_store_data_send: true,
        with: { "wfh:function/types.context": super::Context },
    });

    /// The world of a batched function: the same types, another export.
    pub mod batch {
        wasmtime::component::bindgen!({
            path: "../../../wit",
            world: "batch-function",
            exports: { default: async },
            require_store_data_send: true,
            with: { "wfh:function/types": super::wfh::function::types },
        });
    }

    /// The world of an event function on WASI 0.3.
    pub mod async_event {
        wasmtime::component::bindgen!({
            path: "../../../wit",
            world: "async-event-function",
            require_store_data_send: true,
            with: { "wfh:function/types": super::wfh::function::types },
        });
    }

    /// The world of a batched function on WASI 0.3.
    pub mod async_batch {
        wasmtime::component::bindgen!({
            path: "../../../wit",
            world: "async-batch-function",
            require_store_data_send: true,
            with: { "wfh:function/types": super::wfh::function::types },
        });
    }
}

pub(crate) use bindings::async_batch::{AsyncBatchFunction, AsyncBatchFunctionPre};
pub(crate) use bindings::async_event::{AsyncEventFunction, AsyncEventFunctionPre};
pub(crate) use bindings::batch::{BatchFunction, BatchFunctionPre};
#[allow(unreachable_pub, reason = "other generated bindings export it")]
pub use bindings::wfh::function::types as wit;
pub(crate) use bindings::{EventFunction, EventFunctionPre};

/// What a handler borrows as its `context`. The sandbox knows the call; this is only the handle.
#[allow(unreachable_pub, reason = "the generated bindings export it")]
pub struct Context;

pub(crate) fn add_to_linker(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    wit::add_to_linker::<Sandbox, HasSelf<Sandbox>>(linker, |sandbox| sandbox)
}

impl wit::Host for Sandbox {}

impl wit::HostContext for Sandbox {
    fn invocation_id(&mut self, _: Resource<Context>) -> wasmtime::Result<String> {
        Ok(self.call.id.to_string())
    }

    fn attempts_max(&mut self, _: Resource<Context>) -> wasmtime::Result<u32> {
        Ok(self.call.attempts_max)
    }

    fn remaining_ms(&mut self, _: Resource<Context>) -> wasmtime::Result<u64> {
        let left = self.call.deadline.map(|deadline| deadline - Instant::now());
        Ok(left.map_or(u64::MAX, |left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)))
    }

    fn drop(&mut self, context: Resource<Context>) -> wasmtime::Result<()> {
        self.table().delete(context)?;
        Ok(())
    }
}

/// An item as the guest sees it.
pub(crate) fn delivery(item: Item, sandbox: &Sandbox) -> wit::Delivery {
    let event = item.event;
    wit::Delivery {
        event: wit::Event {
            id: event.id.to_string(),
            source: event.source,
            type_: event.r#type,
            subject: event.subject,
            time: event.time,
            datacontenttype: event.datacontenttype,
            dataschema: event.dataschema,
            extensions: event.extensions.into_iter().collect(),
            data: event.data.map(Vec::from),
        },
        attempt: item.attempt,
        event_key: item.event_key,
        traceparent: Some(sandbox.call.trace.to_string()),
        tracestate: sandbox.call.trace.tracestate().map(str::to_owned),
        key: item.key.map(Vec::from),
        headers: item.headers.into_iter().map(|(name, value)| (name, value.to_vec())).collect(),
        attributes: item.attributes,
    }
}
