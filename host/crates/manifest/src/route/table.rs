//! The matcher: a trie over segments, walked with backtracking.
//!
//! A walk visits each node of the trie at most once, so its cost is bounded by the routes, whatever
//! the path; and it goes no deeper than the longest pattern.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::conflict::{RouteConflict, conflicts};
use super::pattern::{RoutePattern, Segment};
use super::percent::decode;
use super::{Method, Route};

/// Finds the value of the route that a request belongs to.
#[derive(Debug, Clone)]
pub struct RouteTable<T> {
    root: Node<T>,
}

/// The parameters of a match by name, from left to right.
pub type Parameters<'t> = Vec<(&'t str, Cow<'t, str>)>;

/// What a table says of a request.
#[derive(Debug, PartialEq)]
pub enum Lookup<'t, T> {
    /// A route takes it.
    Found {
        /// The route's value.
        value: &'t T,
        /// The route as it was written.
        pattern: &'t str,
        /// `{name}` is percent-decoded; `{*rest}` is as the path has it, since it may hold slashes
        /// and encoded slashes both. Does not allocate when the route has none.
        parameters: Parameters<'t>,
    },
    /// Routes match the path, none of them the method.
    MethodNotAllowed {
        /// The methods that they take, sorted, for `Allow`.
        allow: Vec<String>,
    },
    /// No route matches the path.
    NotFound,
}

#[derive(Debug, Clone)]
struct Node<T> {
    literals: BTreeMap<String, Node<T>>,
    parameter: Option<Box<Node<T>>>,
    tail: Vec<Entry<T>>,
    here: Vec<Entry<T>>,
}

#[derive(Debug, Clone)]
struct Entry<T> {
    pattern: RoutePattern,
    names: Vec<Arc<str>>,
    methods: Vec<Method>,
    value: T,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literals: BTreeMap::new(), parameter: None, tail: Vec::new(), here: Vec::new() }
    }
}

/// A table of no routes.
impl<T> Default for RouteTable<T> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<T> RouteTable<T> {
    /// Builds a table.
    ///
    /// # Errors
    ///
    /// Every pair of routes that would take the same request.
    pub fn build(routes: Vec<(Route, T)>) -> Result<Self, Vec<RouteConflict>> {
        let (keys, values): (Vec<Route>, Vec<T>) = routes.into_iter().unzip();
        let ambiguous = conflicts(&keys);
        if !ambiguous.is_empty() {
            return Err(ambiguous);
        }
        let mut root = Node::default();
        for (route, value) in keys.into_iter().zip(values) {
            root.insert(route, value);
        }
        Ok(Self { root })
    }

    /// Looks a request up. `path` is as the request has it, without its query.
    #[must_use]
    pub fn find<'t>(&'t self, method: &str, path: &'t str) -> Lookup<'t, T> {
        let Some(rest) = path.strip_prefix('/') else {
            return Lookup::NotFound;
        };
        let mut values = Vec::new();
        let found = self.root.walk(Some(rest), &mut values, &mut |entries| best(entries, method));
        if let Some(entry) = found {
            let names = entry.names.iter().map(AsRef::as_ref);
            let parameters = names.zip(values).collect();
            return Lookup::Found {
                value: &entry.value,
                pattern: entry.pattern.as_str(),
                parameters,
            };
        }
        match self.allowed(rest) {
            allow if allow.is_empty() => Lookup::NotFound,
            allow => Lookup::MethodNotAllowed { allow },
        }
    }

    /// The methods of every route that matches a path; none of them takes all.
    fn allowed(&self, rest: &str) -> Vec<String> {
        let mut allow = Vec::new();
        let _ = self.root.walk(Some(rest), &mut Vec::new(), &mut |entries: &[Entry<T>]| {
            let methods = entries.iter().flat_map(|entry| &entry.methods);
            allow.extend(methods.map(ToString::to_string));
            None
        });
        if allow.iter().any(|method| method == "GET") {
            allow.push("HEAD".to_owned());
        }
        allow.sort();
        allow.dedup();
        allow
    }
}

impl<T> Node<T> {
    fn insert(&mut self, route: Route, value: T) {
        let Route { pattern, methods } = route;
        let names = pattern.parameters().cloned().collect();
        let mut node = self;
        let mut ends_in_tail = false;
        for segment in pattern.segments() {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::Parameter(_) => node.parameter.get_or_insert_default(),
                Segment::Tail(_) => {
                    ends_in_tail = true;
                    node
                }
            };
        }
        let entries = if ends_in_tail { &mut node.tail } else { &mut node.here };
        entries.push(Entry { pattern, names, methods, value });
    }

    /// Walks from the most to the least specific match of a path until `accept` takes one.
    /// `rest` is what follows the last slash passed; `None` after the last segment. `values` holds
    /// the parameters of what was taken.
    fn walk<'t, 'p, A>(
        &'t self,
        rest: Option<&'p str>,
        values: &mut Vec<Cow<'p, str>>,
        accept: &mut A,
    ) -> Option<&'t Entry<T>>
    where
        A: FnMut(&'t [Entry<T>]) -> Option<&'t Entry<T>>,
    {
        if let Some(rest) = rest {
            let (segment, after) = match rest.split_once('/') {
                Some((segment, after)) => (segment, Some(after)),
                None => (rest, None),
            };
            let decoded = decode(segment);
            if let Some(next) = self.literals.get(decoded.as_ref())
                && let Some(found) = next.walk(after, values, accept)
            {
                return Some(found);
            }
            if let Some(next) = self.parameter.as_ref().filter(|_| !segment.is_empty()) {
                values.push(decoded);
                if let Some(found) = next.walk(after, values, accept) {
                    return Some(found);
                }
                values.pop();
            }
        } else if let Some(found) = accept(&self.here) {
            return Some(found);
        }
        let found = accept(&self.tail)?;
        values.push(Cow::Borrowed(rest.unwrap_or_default()));
        Some(found)
    }
}

/// Of routes with the same shape, the one for a method: listed, then `GET` for `HEAD`, then any.
fn best<'t, T>(entries: &'t [Entry<T>], method: &str) -> Option<&'t Entry<T>> {
    let lists = |wanted: &str| {
        entries.iter().find(|entry| entry.methods.iter().any(|listed| listed.as_str() == wanted))
    };
    lists(method)
        .or_else(|| if method == "HEAD" { lists("GET") } else { None })
        .or_else(|| entries.iter().find(|entry| entry.methods.is_empty()))
}

#[cfg(test)]
mod tests;
