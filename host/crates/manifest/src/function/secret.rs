//! Where a secret's value comes from.

use std::path::PathBuf;

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::read::{Either, Node, Reader, Value, either, table};

/// Where a secret's value comes from. The value itself never is in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// `{ env = "NAME" }`: an environment variable of the host.
    Env(String),
    /// `{ file = "..." }`: a file, relative to the manifest.
    File(PathBuf),
}

table! {
    /// Where a secret's value comes from: `{ env = "NAME" }` or `{ file = "..." }`.
    struct RawSecret {
        /// An environment variable of the host.
        env: Option<String>,
        /// A file, relative to the manifest.
        file: Option<PathBuf>,
    }
}

const EXPECTED: &str = "`{ env = \"NAME\" }` or `{ file = \"...\" }`";

impl Value for SecretSource {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        if node.value.is_str() {
            let problem = node.problem("the value of a secret has no place in a manifest");
            return reader.report(problem.expected(EXPECTED));
        }
        let raw = RawSecret::read(node, reader)?;
        Some(match either(node, ["env", "file"], (raw.env, raw.file), reader)? {
            Either::First(variable) => Self::Env(variable),
            Either::Second(file) => Self::File(file),
        })
    }

    fn schema() -> Json {
        RawSecret::schema()
    }
}

/// A setting of an outside client: a text, or a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// As the manifest has it.
    Text(String),
    /// Read by the host, and never printed.
    Secret(SecretSource),
}

impl Value for Setting {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            DeValue::Table(_) => SecretSource::read(node, reader).map(Self::Secret),
            _ => String::read(node, reader).map(Self::Text),
        }
    }

    fn schema() -> Json {
        json!({ "anyOf": [String::schema(), SecretSource::schema()] })
    }
}
