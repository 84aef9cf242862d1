//! What comes of asynchronous calls.

use wfh_event::InvocationId;

use super::{OperateError, Operator, Rows};
use crate::{InvocationState, InvocationStatus};

impl Operator {
    /// How far a call is.
    ///
    /// # Errors
    /// Nothing is known of it (any more), or the store does not answer.
    pub async fn invocation(&self, id: InvocationId) -> Result<InvocationStatus, OperateError> {
        let unknown =
            || OperateError::NotFound(format!("there is no asynchronous invocation {id}"));
        let key = InvocationStatus::key(id).ok_or_else(unknown)?;
        let value = self.host.store.get(key).await?.ok_or_else(unknown)?;
        let status = serde_json::from_slice(&value.bytes).map_err(|_| unknown())?;
        Ok(self.as_of_now(status))
    }

    /// The calls that are known, oldest first, after the one called `after`.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn invocations(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Rows<InvocationStatus>, OperateError> {
        let read =
            |_: &str, bytes: &[u8]| Some(self.as_of_now(serde_json::from_slice(bytes).ok()?));
        self.rows(crate::durable::INVOCATIONS, after, limit, read).await
    }

    /// That a call runs is known here, not in the store.
    fn as_of_now(&self, status: InvocationStatus) -> InvocationStatus {
        let waits = match status.state {
            InvocationState::Queued | InvocationState::Waiting => true,
            InvocationState::Running | InvocationState::Succeeded | InvocationState::Failed => {
                false
            }
        };
        match waits && self.host.running.contains(status.id) {
            true => InvocationStatus { state: InvocationState::Running, ..status },
            false => status,
        }
    }
}
