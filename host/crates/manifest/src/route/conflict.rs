//! Routes that would take the same request, neither being more specific.

use std::fmt;

use super::pattern::{RoutePattern, Segment};
use super::{Method, Route};

/// Two routes of the same shape with a method in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteConflict {
    /// The index of the earlier route.
    pub first: usize,
    /// The index of the later route.
    pub second: usize,
    /// The pattern of the earlier route.
    pub first_pattern: RoutePattern,
    /// The pattern of the later route.
    pub second_pattern: RoutePattern,
    /// The methods that both list; empty when both take all.
    pub methods: Vec<Method>,
}

impl fmt::Display for RouteConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = (&self.first_pattern, &self.second_pattern);
        write!(f, "`{second}` and `{first}` match the same requests")?;
        for (index, method) in self.methods.iter().enumerate() {
            let before = if index == 0 { " with " } else { ", " };
            write!(f, "{before}`{method}`")?;
        }
        Ok(())
    }
}

/// Every pair of routes that is ambiguous.
pub(crate) fn conflicts(routes: &[Route]) -> Vec<RouteConflict> {
    let mut found = Vec::new();
    for (second, later) in routes.iter().enumerate() {
        for (first, earlier) in routes.iter().enumerate().take(second) {
            let Some(methods) = shared(earlier, later) else {
                continue;
            };
            let (first_pattern, second_pattern) = (earlier.pattern.clone(), later.pattern.clone());
            found.push(RouteConflict { first, second, first_pattern, second_pattern, methods });
        }
    }
    found
}

/// The methods that make two routes ambiguous; `None` when they are not.
fn shared(a: &Route, b: &Route) -> Option<Vec<Method>> {
    if !same_shape(&a.pattern, &b.pattern) {
        return None;
    }
    if a.methods.is_empty() && b.methods.is_empty() {
        return Some(Vec::new());
    }
    let methods: Vec<_> = b.methods.iter().filter(|m| a.methods.contains(m)).cloned().collect();
    (!methods.is_empty()).then_some(methods)
}

fn same_shape(a: &RoutePattern, b: &RoutePattern) -> bool {
    let equal = |(a, b): (&Segment, &Segment)| match (a, b) {
        (Segment::Literal(a), Segment::Literal(b)) => a == b,
        (Segment::Parameter(_), Segment::Parameter(_)) | (Segment::Tail(_), Segment::Tail(_)) => {
            true
        }
        _ => false,
    };
    let (a, b) = (a.segments(), b.segments());
    a.len() == b.len() && a.iter().zip(b).all(equal)
}
