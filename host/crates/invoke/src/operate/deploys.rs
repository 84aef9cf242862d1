//! Deployments: which version of a function began to run, written down when it is another one.

use wfh_event::FunctionName;
use wfh_store::{Expect, Op};

use super::audit::{Action, Actor};
use super::{OperateError, Operator, key};

/// The keys of the versions that ran last begin with it.
const DEPLOYED: &str = "deployed/";
/// How a function stands that does not run.
const NOTHING: &str = "-";

impl Operator {
    /// Notes which versions run, each change with its entry in the audit log.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn deployed(&self, running: &[(FunctionName, String)]) -> Result<(), OperateError> {
        let actor = Actor("manifest".to_owned());
        let before = self.host.store.list(DEPLOYED, None, u32::MAX).await?;
        let version_of = |name: &str| {
            let found =
                before.iter().find(|(key, _)| key.as_str().strip_prefix(DEPLOYED) == Some(name));
            found.map(|(_, value)| String::from_utf8_lossy(&value.bytes).into_owned())
        };
        let mut ops = Vec::new();
        for (name, version) in running {
            let known = version_of(name.as_str());
            if known.as_deref() == Some(version) {
                continue;
            }
            let (key, bytes) = (key(DEPLOYED, name.as_str())?, version.clone().into_bytes().into());
            ops.push(Op::Put { key, bytes, expect: Expect::Any, ttl: None });
            let change = (known.unwrap_or_else(|| NOTHING.to_owned()), version.clone());
            ops.push(self.audit(&actor, Action::Deploy, format!("function:{name}"), change)?);
        }
        for (key, value) in &before {
            let name = key.as_str().strip_prefix(DEPLOYED).unwrap_or_default();
            if running.iter().any(|(running, _)| running.as_str() == name) {
                continue;
            }
            ops.push(Op::Delete { key: key.clone(), expect: Expect::Any });
            let version = String::from_utf8_lossy(&value.bytes).into_owned();
            let change = (version, NOTHING.to_owned());
            ops.push(self.audit(&actor, Action::Deploy, format!("function:{name}"), change)?);
        }
        self.host.store.commit(ops).await?;
        Ok(())
    }
}
