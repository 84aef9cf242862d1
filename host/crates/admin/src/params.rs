//! Parameters of requests: what is not known or not valid is refused, with a problem.

use axum::extract::{FromRequestParts, Path, Query};
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wfh_event::FunctionName;

use crate::problem::Problem;

/// The query as a `T` that denies unknown fields.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => Err(Problem::parameter(rejection.body_text())),
        }
    }
}

/// No query at all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// The function of the path. A text that cannot be a name is the name of no function.
pub(crate) struct Named(pub(crate) FunctionName);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Problem::not_found("the path does not hold a function's name"));
        };
        text.parse().map(Self).map_err(|error| Problem::not_found(format!("{error}")))
    }
}
