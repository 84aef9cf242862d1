//! Natively nobody sees spans; records carry their fields all the same.

/// A span that somebody will see: there is none.
#[derive(Debug)]
pub(crate) enum Span {}

impl Span {
    pub(crate) fn begin(_: &str, _: Option<&Self>) -> Option<Self> {
        None
    }

    pub(crate) fn set(&self, _: &str, _: String) {
        match *self {}
    }

    pub(crate) fn event(&self, _: &str, _: &[(String, String)]) {
        match *self {}
    }

    pub(crate) fn fail(&self, _: &str) {
        match *self {}
    }

    pub(crate) fn traceparent(&self) -> String {
        match *self {}
    }
}
