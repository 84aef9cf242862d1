//! `[[trigger.http]]`

use wfh_event::{Target, TriggerName};

use super::TriggerKind;
use crate::read::{Node, Reader, table, words};
use crate::route::{Method, Route, RoutePattern};

table! {
    /// Requests whose path and method match.
    #[check(rules)]
    pub struct HttpTrigger {
        /// Keys the trigger's durable state; derived from the route without it.
        given_name: Option<TriggerName> as "name",
        /// The path: `{name}` is one segment, `{*rest}` the tail; the most specific route wins.
        route: RoutePattern,
        /// The methods; all of them without it. `GET` also serves `HEAD`.
        methods: Option<Vec<Method>>,
        /// What is called.
        target: Target,
        /// When the client gets its answer.
        mode: Mode = Mode::Sync,
    }
}

words! {
    /// When the client gets its answer.
    pub enum Mode {
        /// After the call.
        Sync = "sync",
        /// Once the event is durable: 202 with the invocation's id.
        Async = "async",
        /// As the client says with `Prefer: respond-async`.
        Either = "either",
    }
}

impl HttpTrigger {
    /// What it matches.
    #[must_use]
    pub fn route(&self) -> Route {
        Route { pattern: self.route.clone(), methods: self.methods.clone().unwrap_or_default() }
    }
}

impl TriggerKind for HttpTrigger {
    fn given_name(&self) -> Option<&TriggerName> {
        self.given_name.as_ref()
    }

    fn derived_name(&self) -> String {
        self.route.to_string()
    }

    fn route(&self) -> Option<Route> {
        Some(Self::route(self))
    }
}

fn rules(trigger: &HttpTrigger, node: &Node<'_>, reader: &mut Reader<'_>) {
    if trigger.methods.as_ref().is_some_and(Vec::is_empty) {
        reader.report_at(node, "methods", "the list is empty; leave it out to take all methods");
    }
    if trigger.mode == Mode::Sync && !matches!(trigger.target, Target::Function(_)) {
        let message = format!("`{}` gives no answer; expected a function", trigger.target);
        reader.report_at(node, "target", message + ", or `mode = \"async\"`");
    }
}
