//! Values written as one string.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::{Node, Reader, Value};
use crate::Diagnostic;

/// A value with a text form.
pub(crate) trait Text: Sized {
    /// What it is, with an article: "a duration".
    const WHAT: &'static str;
    /// What is accepted, for messages and the schema.
    const EXPECTED: &'static str;

    /// Parses the expanded text.
    fn parse(text: &str) -> Result<Self, Misfit>;

    /// The text form.
    fn print(&self) -> String;

    /// Called once it was read; where a reference is noted.
    fn read_at(&self, _node: &Node<'_>, _reader: &mut Reader<'_>) {}
}

/// Why a text does not fit, beyond that it does not.
#[derive(Debug, Default)]
pub(crate) struct Misfit {
    pub(crate) reason: Option<String>,
    pub(crate) suggestion: Option<String>,
}

impl Misfit {
    pub(crate) fn because(reason: impl ToString) -> Self {
        Self { reason: Some(reason.to_string()), suggestion: None }
    }

    /// The error about a value, shown as written.
    fn about<T: Text>(self, node: &Node<'_>, written: &str) -> Diagnostic {
        let because = self.reason.map(|why| format!(": {why}")).unwrap_or_default();
        let problem = node.problem(format!("{written:?} is not {}{because}", T::WHAT));
        // Some reasons, those of other crates among them, say already what was expected.
        let told = because.contains("expected");
        let problem = if told { problem } else { problem.expected(T::EXPECTED) };
        problem.suggest(self.suggestion)
    }
}

impl<T: Text> Value for T {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::String(written) = node.value else {
            return reader.wrong_type(node, Self::EXPECTED);
        };
        let text = reader.expanded(written, node)?;
        match Self::parse(&text) {
            Ok(value) => {
                value.read_at(node, reader);
                Some(value)
            }
            Err(misfit) => reader.report(misfit.about::<Self>(node, written)),
        }
    }

    fn schema() -> Json {
        json!({ "type": "string", "title": Self::EXPECTED })
    }

    fn show(&self) -> Json {
        self.print().into()
    }
}

impl Text for String {
    const WHAT: &'static str = "a string";
    const EXPECTED: &'static str = "a string";

    fn parse(text: &str) -> Result<Self, Misfit> {
        Ok(text.to_owned())
    }

    fn print(&self) -> String {
        self.clone()
    }
}

impl Text for PathBuf {
    const WHAT: &'static str = "a path";
    const EXPECTED: &'static str = "a path, relative to the manifest or absolute";

    fn parse(text: &str) -> Result<Self, Misfit> {
        match text {
            "" => Err(Misfit::because("it is empty")),
            _ if text.contains('\0') => Err(Misfit::because("it holds a NUL character")),
            _ => Ok(text.into()),
        }
    }

    fn print(&self) -> String {
        self.display().to_string()
    }
}

impl Text for SocketAddr {
    const WHAT: &'static str = "an address to listen on";
    const EXPECTED: &'static str =
        "an IP address and a port such as \"127.0.0.1:3000\", \"[::1]:3000\" or \"localhost:3000\"";

    fn parse(text: &str) -> Result<Self, Misfit> {
        let numeric = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => text.to_owned(),
        };
        numeric.parse().map_err(|_| Misfit {
            suggestion: text.strip_prefix(':').map(|port| format!("0.0.0.0:{port}")),
            ..Misfit::default()
        })
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

impl Text for IpNet {
    const WHAT: &'static str = "a network";
    const EXPECTED: &'static str = "an IP address or a network such as \"10.0.0.0/8\"";

    fn parse(text: &str) -> Result<Self, Misfit> {
        let single = || text.parse::<IpAddr>().map(Self::from);
        text.parse().or_else(|_| single()).map_err(|_| Misfit::default())
    }

    fn print(&self) -> String {
        self.to_string()
    }
}
