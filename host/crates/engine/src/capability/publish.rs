//! `wfh:function/publish`: events sent at once. Granted by `allow.send`.

use std::sync::Arc;

use wasmtime::component::{HasData, Linker};
use wfh_event::EventId;
use wfh_invoke::{PublishError, new_invocation_id};

use super::send::{Refused, Sender};
use crate::function::Shared;
use crate::init::Inside;
use crate::sandbox::{CallInfo, Sandbox};

mod bindings {
    #![allow(missing_docs, unreachable_pub, reason = "generated from wit/function.wit")]
    #![allow(clippy::all, reason = "generated")]

    wasmtime::component::bindgen!({
        path: "../../../wit",
        inline: "
            package wfh:host-publish;
            world host { import wfh:function/publish@0.1.0; }
        ",
        world: "wfh:host-publish/host",
        imports: { default: async },
        require_store_data_send: true,
        with: { "wfh:function/types": crate::capability::event::wit },
    });
}

use bindings::wfh::function::publish as wit;

/// The most events of one `send-batch`.
const BATCH_MAX: usize = 1000;
/// An init runs once for all sandboxes and must not leave traces outside of its snapshot.
const NO_SENDING: &str = "init sends nothing: publish in the handler";

/// Who wants to send.
pub(crate) trait AsksToSend: Send + 'static {
    /// Who it is, or why not.
    fn publish(&self) -> Publish;
}

impl AsksToSend for Sandbox {
    fn publish(&self) -> Publish {
        Publish(Ok((Arc::clone(&self.function), Arc::clone(&self.call))))
    }
}

impl AsksToSend for Inside {
    fn publish(&self) -> Publish {
        Publish(Err(wit::Error::Denied(NO_SENDING.to_owned())))
    }
}

pub(crate) fn add_to_linker<T: AsksToSend>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    wit::add_to_linker::<T, Publish>(linker, |data| data.publish())
}

/// The interface of one caller.
pub(crate) struct Publish(Result<(Arc<Shared>, Arc<CallInfo>), wit::Error>);

impl HasData for Publish {
    type Data<'a> = Self;
}

impl From<Refused> for wit::Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Denied(target) => Self::Denied(format!("allow.send does not name {target}")),
            Refused::Invalid(detail) => Self::Invalid(detail),
        }
    }
}

impl From<PublishError> for wit::Error {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Invalid(detail) => Self::Invalid(detail),
            PublishError::Full(detail) => Self::Full(detail),
            PublishError::Unavailable(detail) => Self::Unavailable(detail),
        }
    }
}

impl wit::Host for Publish {
    async fn send(&mut self, target: String, event: wit::Event) -> Result<String, wit::Error> {
        let message =
            wit::Outgoing { target, event, key: None, headers: Vec::new(), delay_ms: None };
        let ids = self.send_batch(vec![message]).await?;
        ids.into_iter().next().ok_or_else(|| wit::Error::Unavailable("it has no id".to_owned()))
    }

    async fn send_batch(
        &mut self,
        messages: Vec<wit::Outgoing>,
    ) -> Result<Vec<String>, wit::Error> {
        let (function, call) = self.0.clone()?;
        if messages.len() > BATCH_MAX {
            let detail = format!("{} events at once; expected {BATCH_MAX} at most", messages.len());
            return Err(wit::Error::Invalid(detail));
        }
        let sender = Sender { function: &function.config, call: &call };
        let mut outgoing = Vec::with_capacity(messages.len());
        for message in messages {
            let id = EventId::new(&message.event.id);
            let id = id.unwrap_or_else(|| new_invocation_id().into());
            outgoing.push(sender.outgoing(message, id)?);
        }
        let Some(publisher) = &function.capabilities.publisher else {
            return Err(wit::Error::Unavailable("this host sends no events".to_owned()));
        };
        let ids = publisher.publish(outgoing).await?;
        Ok(ids.iter().map(ToString::to_string).collect())
    }
}
