//! What must hold between tables: targets exist, triggers have names of their own, no two routes
//! take the same request.

use std::collections::BTreeMap;

use wfh_event::Target;

use crate::diagnostic::nearest;
use crate::read::{Declared, Reader, Reference, Spans};
use crate::route::conflicts;
use crate::{Diagnostic, FailureDestination, Manifest};

/// What was found.
pub(crate) struct Validation {
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Checks a document after it was read, whether or not every value of it was right.
pub(crate) fn validate(reader: &Reader<'_>) -> Validation {
    let mut errors = Vec::new();
    if !reader.spans.any_below("function") {
        let message = "the manifest has no function";
        let expected = "a table `[function.NAME]` with a `component`";
        errors.push(Diagnostic::new(0..0, "function", message).expected(expected));
    }
    errors.extend(reader.references.iter().filter_map(|reference| undeclared(reader, reference)));
    errors.extend(equal_names(reader));
    errors.extend(equal_routes(reader));
    let mut warnings = Vec::new();
    if reader.spans.get("trigger").is_none() {
        let message = "the manifest has no trigger, so nothing calls its functions";
        warnings.push(Diagnostic::new(0..0, "trigger", message));
    }
    Validation { errors, warnings }
}

/// Queues that feed themselves: what comes out of one goes in again, by its trigger or by a
/// destination of the function that the trigger leads to, directly or through a topic.
pub(crate) fn circles(manifest: &Manifest, spans: &Spans) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for trigger in &manifest.triggers.queue {
        let queue = Target::Queue(trigger.config.queue.clone());
        let mut warn = |key: String| {
            let message = format!("{queue} feeds itself: what is taken from it comes in again");
            let span = spans.around(&key).unwrap_or_default();
            warnings.push(Diagnostic::new(span, &key, message));
        };
        if leads_to(manifest, &trigger.config.target, &queue) {
            warn(format!("{}.target", trigger.key));
        }
        let Target::Function(name) = &trigger.config.target else { continue };
        let Some(function) = manifest.functions.get(name) else { continue };
        let failure = match &function.on.failure {
            FailureDestination::DeadLetter => None,
            FailureDestination::Target(target) => Some(target),
        };
        for (key, target) in [("success", function.on.success.as_ref()), ("failure", failure)] {
            if target.is_some_and(|target| leads_to(manifest, target, &queue)) {
                warn(format!("function.{name}.on.{key}"));
            }
        }
    }
    warnings
}

fn leads_to(manifest: &Manifest, target: &Target, queue: &Target) -> bool {
    match target {
        Target::Topic(name) => {
            manifest.topics.get(name).is_some_and(|topic| topic.subscribers.contains(queue))
        }
        Target::Queue(_) | Target::Function(_) | Target::Stream(_) => target == queue,
    }
}

fn undeclared(reader: &Reader<'_>, reference: &Reference) -> Option<Diagnostic> {
    let (kind, name) = kind_and_name(&reference.target);
    if reader.spans.get(&format!("{kind}.{name}")).is_some() {
        return None;
    }
    let message = format!("there is no {kind} `{name}` in this manifest");
    let near = nearest(name, reader.spans.names(kind)).map(|near| format!("{kind}:{near}"));
    let expected = format!("a {kind} declared as `[{kind}.{name}]`");
    let diagnostic = Diagnostic::new(reference.span.clone(), &reference.key, message);
    Some(diagnostic.expected(expected).suggest(near))
}

fn kind_and_name(target: &Target) -> (&'static str, &str) {
    match target {
        Target::Function(name) => ("function", name.as_str()),
        Target::Queue(name) => ("queue", name.as_str()),
        Target::Topic(name) => ("topic", name.as_str()),
        Target::Stream(name) => ("stream", name.as_str()),
    }
}

fn equal_names(reader: &Reader<'_>) -> Vec<Diagnostic> {
    let mut named = BTreeMap::new();
    let mut errors = Vec::new();
    for trigger in &reader.triggers {
        if let Some(other) = named.insert(&trigger.name, &trigger.key) {
            let message = format!("the name `{}` is that of `{other}` too", trigger.name);
            let diagnostic = about(reader, trigger, "name", message);
            errors.push(diagnostic.expected("a `name` of its own for each trigger"));
        }
    }
    errors
}

fn equal_routes(reader: &Reader<'_>) -> Vec<Diagnostic> {
    let routed = reader.triggers.iter();
    let (triggers, routes): (Vec<_>, Vec<_>) =
        routed.filter_map(|trigger| Some((trigger, trigger.route.clone()?))).unzip();
    let mut errors = Vec::new();
    for conflict in conflicts(&routes) {
        let pair = (triggers.get(conflict.first), triggers.get(conflict.second));
        if let (Some(first), Some(second)) = pair {
            let message = format!("{conflict}; the other one is trigger `{}`", first.name);
            errors.push(about(reader, second, "route", message));
        }
    }
    errors
}

/// An error about a key of a trigger, or about its table if it lacks that key.
fn about(reader: &Reader<'_>, trigger: &Declared, key: &str, message: String) -> Diagnostic {
    let path = format!("{}.{key}", trigger.key);
    let span = reader.spans.get(&path).unwrap_or_else(|| trigger.span.clone());
    Diagnostic::new(span, &path, message)
}
