//! Who changed what: written in the commit that changes it, never altered.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wfh_store::{Expect, Op};

use super::{OperateError, Operator, Rows, key};
use crate::durable::encode;
use crate::new_invocation_id;

const PREFIX: &str = "audit/";
/// How long an entry is kept.
const KEPT: Duration = Duration::from_secs(400 * 24 * 3_600);

/// Who asks for a change: the name of a token, or where the request came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(pub String);

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A dead letter was sent again.
    Redrive,
    /// A dead letter was thrown away.
    Discard,
    /// A queue was emptied.
    Purge,
    /// A schedule stands still.
    Pause,
    /// A schedule goes on.
    Resume,
    /// A schedule was run beside its points in time.
    Run,
    /// Another version of a function runs, or none.
    Deploy,
}

impl Action {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redrive => "redrive",
            Self::Discard => "discard",
            Self::Purge => "purge",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Run => "run",
            Self::Deploy => "deploy",
        }
    }
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its id; later entries have greater ones.
    pub id: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Who.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// To what, such as `dead-letter:ID` or `queue:NAME`.
    pub subject: String,
    /// How it was before.
    pub before: String,
    /// How it is since.
    pub after: String,
}

impl Operator {
    /// The write of an entry, to go into the commit of the change.
    pub(super) fn audit(
        &self,
        actor: &Actor,
        action: Action,
        subject: String,
        (before, after): (String, String),
    ) -> Result<Op, OperateError> {
        let id = new_invocation_id().to_string();
        let (at_ms, actor) = (self.host.clock.now_ms(), actor.clone());
        let key = key(PREFIX, &id)?;
        let entry = AuditEntry { id, at_ms, actor, action, subject, before, after };
        Ok(Op::Put { key, bytes: encode(&entry), expect: Expect::Absent, ttl: Some(KEPT) })
    }

    /// The audit log, oldest first, after the entry `after`.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn audit_log(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Rows<AuditEntry>, OperateError> {
        self.rows(PREFIX, after, limit, |_, bytes| serde_json::from_slice(bytes).ok()).await
    }
}
