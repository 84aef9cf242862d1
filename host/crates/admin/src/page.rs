//! Listings: a page of items and where the next one begins.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wfh_event::InvocationId;

use crate::problem::Problem;

const LIMIT_DEFAULT: u16 = 100;
const LIMIT_MAX: u16 = 1_000;

/// One page of a listing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// What was asked for, in order.
    pub(crate) items: Vec<T>,
    /// The `cursor` of the next page; null on the last.
    #[schema(required)]
    pub(crate) next: Option<String>,
}

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// Items of a page, 1 to 1000; 100 without it.
    limit: Option<u16>,
    /// The `next` of the page before.
    pub(crate) cursor: Option<String>,
}

impl PageParams {
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        limit(self.limit)
    }
}

/// A cursor, which has the form of the ids that a listing has.
pub(crate) fn cursor(
    given: Option<&str>,
    is_id: impl Fn(&str) -> bool,
) -> Result<Option<&str>, Problem> {
    match given {
        Some(text) if !is_id(text) => {
            Err(Problem::parameter(format!("{text:?} is not a cursor of this listing")))
        }
        given => Ok(given),
    }
}

/// Whether a text has the form of ids that are made at run time.
pub(crate) fn is_ulid(text: &str) -> bool {
    text.parse::<InvocationId>().is_ok()
}

/// Whether a text has the form of ids that follow from others.
pub(crate) fn is_derived_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A limit within its bounds.
pub(crate) fn limit(asked: Option<u16>) -> Result<usize, Problem> {
    match asked.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(usize::from(limit)),
        limit => {
            let detail = format!("limit = {limit}: expected a number from 1 to {LIMIT_MAX}");
            Err(Problem::parameter(detail))
        }
    }
}
