//! Routes: which trigger a request's path and method belong to.
//!
//! A path is split at `/` first and percent-decoded segment by segment after, so an encoded slash
//! never separates. Of all routes that match path and method the most specific wins: compared from
//! left to right, a literal segment before `{name}` before `{*rest}`; then a route that lists the
//! method before one that takes any.

mod conflict;
mod method;
mod pattern;
mod percent;
mod table;

pub use conflict::RouteConflict;
pub use method::Method;
pub use pattern::{RoutePattern, RoutePatternError};
pub use table::{Lookup, Parameters, RouteTable};

pub(crate) use conflict::conflicts;

/// What a route matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The path.
    pub pattern: RoutePattern,
    /// The methods; empty stands for all.
    pub methods: Vec<Method>,
}
