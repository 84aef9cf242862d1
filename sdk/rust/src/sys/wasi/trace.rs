//! `wfh:function/trace`

use crate::bindings::trace::{self as wit, Value};

/// A span that somebody will see.
#[derive(Debug)]
pub(crate) struct Span(wit::Span);

impl Span {
    /// Begins one, unless nobody will see it.
    pub(crate) fn begin(name: &str, parent: Option<&Self>) -> Option<Self> {
        let span = wit::Span::new(name, parent.map(|parent| &parent.0));
        span.is_recording().then_some(Self(span))
    }

    pub(crate) fn set(&self, key: &str, value: String) {
        self.0.set(key, &Value::Text(value));
    }

    pub(crate) fn event(&self, name: &str, about: &[(String, String)]) {
        let text = |(key, value): &(String, String)| (key.clone(), Value::Text(value.clone()));
        self.0.event(name, &about.iter().map(text).collect::<Vec<_>>());
    }

    pub(crate) fn fail(&self, reason: &str) {
        self.0.fail(reason);
    }

    pub(crate) fn traceparent(&self) -> String {
        self.0.traceparent()
    }
}
