//! What the resources of the store share: the operator, its errors, times.

use axum::extract::{FromRequestParts, Path};
use http::StatusCode;
use http::request::Parts;
use wfh_event::ErrorCode;
use wfh_invoke::{Actor, OperateError, Operator};

use crate::api::Shared;
use crate::problem::Problem;

/// The operator of the host's store. A host without one has nothing to operate on.
pub(crate) struct Operating(pub(crate) Operator);

impl FromRequestParts<Shared> for Operating {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        shared.sources.operator.clone().map(Self).ok_or_else(|| {
            let detail = "this host has no store (a bare component has none)";
            Problem::not_kept(detail)
        })
    }
}

/// The one text of a path.
pub(crate) struct Id(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = Path::<String>::from_request_parts(parts, state).await;
        let found = found.map(|Path(text)| Self(text));
        found.map_err(|_| Problem::not_found("the path does not hold an id"))
    }
}

/// Whoever has the token, or reaches a port that needs none.
pub(crate) fn actor(shared: &Shared) -> Actor {
    let name = if shared.config.token.is_some() { "admin token" } else { "local caller" };
    Actor(name.to_owned())
}

impl From<OperateError> for Problem {
    fn from(error: OperateError) -> Self {
        let detail = error.to_string();
        match error {
            OperateError::NotFound(_) => Self::not_found(detail),
            OperateError::Invalid(_) => Self::parameter(detail),
            OperateError::Conflict(_) => {
                Self::new(StatusCode::CONFLICT, ErrorCode::Conflict, detail)
            }
            OperateError::Full(_) | OperateError::Unavailable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, detail)
            }
        }
    }
}

/// RFC 3339, in UTC.
pub(crate) fn time(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).unwrap_or_default().to_string()
}
