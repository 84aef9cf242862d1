//! The root table, and parsing as a whole.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value as Json, json};
use toml::de::{DeTable, DeValue};
use wfh_event::{AppName, FunctionName, QueueName, StreamName, TopicName};

use crate::read::{MISSING, Node, Reader, Spans, Value, table};
use crate::validate::{circles, validate};
use crate::{
    Admin, Diagnostic, Engine, Function, Http, Kafka, Limits, Outgoing, Queue, Redis, Serve, Store,
    Stream, Telemetry, Topic, Triggers,
};

table! {
    /// What a wfh host runs, and within which bounds.
    pub struct Manifest {
        /// The app.
        app: App,
        /// The functions by name, one table `[function.NAME]` each.
        functions: BTreeMap<FunctionName, Function> as "function",
        /// The host's own durable queues by name.
        queues: BTreeMap<QueueName, Queue> as "queue",
        /// The topics by name; each fans out to its subscribers.
        topics: BTreeMap<TopicName, Topic> as "topic",
        /// The streams on outside brokers by name.
        streams: BTreeMap<StreamName, Stream> as "stream",
        /// What calls functions.
        triggers: Triggers as "trigger",
        /// The HTTP server of `[[trigger.http]]`.
        http: Http,
        /// The admin API.
        admin: Admin,
        /// The WebAssembly engine and its pool.
        engine: Engine,
        /// The HTTP calls that functions make.
        outgoing: Outgoing,
        /// Bounds of the whole host.
        limits: Limits,
        /// Start and stop of the host.
        serve: Serve,
        /// Where queues, keys and records are kept.
        store: Store,
        /// Logs, traces and metrics; OTEL_* environment variables win.
        telemetry: Telemetry,
        /// Defaults of everything that talks to Kafka.
        kafka: Kafka,
        /// Defaults of everything that talks to Redis.
        redis: Redis,
    }
}

table! {
    /// The app, the scope of every durable key.
    pub struct App {
        /// The app's name: lower-case letters, digits, `-` and `_`.
        name: AppName,
    }
}

/// A manifest without errors.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The manifest; all its values are valid.
    pub manifest: Manifest,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Diagnostic>,
    /// Where each value stands in the text.
    pub spans: Spans,
}

impl Parsed {
    /// An error about the value of a key, for what only the host can find out. It stands at the
    /// key or, when the manifest lacks it, at the nearest table around.
    #[must_use]
    pub fn diagnostic(&self, key: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.spans.around(key).unwrap_or_default(), key, message)
    }
}

impl Manifest {
    /// Parses a manifest and checks everything that can be checked without the world around it.
    /// `env` looks up the variables of `${VAR}`.
    ///
    /// # Errors
    ///
    /// Every error of the text at once, in the order of the text.
    pub fn parse(
        text: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Parsed, Vec<Diagnostic>> {
        let (document, syntax) = DeTable::parse_recoverable(text);
        let syntax: Vec<_> = syntax.iter().map(syntax_error).collect();
        let mut reader = Reader::new(text, env);
        let node =
            Node { value: &DeValue::Table(document.into_inner()), span: 0..0, key: String::new() };
        let manifest = Self::read(&node, &mut reader);
        let validation = validate(&reader);
        reader.diagnostics.extend(validation.errors);
        let errors = merge(text, syntax, reader.diagnostics);
        match manifest {
            Some(manifest) if errors.is_empty() => {
                let mut warnings = validation.warnings;
                warnings.extend(circles(&manifest, &reader.spans));
                Ok(Parsed { warnings, spans: reader.spans, manifest })
            }
            _ => Err(errors),
        }
    }

    /// The manifest of a bare component: one function, served on `/` and below. The function is
    /// named after the file, with what a name cannot hold replaced.
    ///
    /// # Errors
    ///
    /// When `name` is given and is no name of a function.
    pub fn single_component(path: &Path, name: Option<&str>) -> Result<Parsed, Vec<Diagnostic>> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = name.map_or_else(|| label(&stem), str::to_owned);
        let text = format!(
            "app.name = {name:?}\n\
             function.{name:?}.component = \"component.wasm\"\n\
             [[trigger.http]]\n\
             route = \"/{{*rest}}\"\n\
             target = \"function:{name}\"\n"
        );
        let mut parsed = Self::parse(&text, &|_| None)?;
        for function in parsed.manifest.functions.values_mut() {
            function.component = path.to_owned();
        }
        parsed.spans = Spans::default();
        Ok(parsed)
    }

    /// The JSON Schema (draft 2020-12) of the manifest.
    #[must_use]
    pub fn json_schema() -> Json {
        let mut schema = Self::schema();
        if let Some(object) = schema.as_object_mut() {
            object.insert(
                "$schema".to_owned(),
                json!("https://json-schema.org/draft/2020-12/schema"),
            );
            object.insert("title".to_owned(), json!("wfh.toml"));
        }
        schema
    }
}

fn syntax_error(error: &toml::de::Error) -> Diagnostic {
    Diagnostic::new(error.span().unwrap_or_default(), "", error.message())
}

/// All errors in the order of the text. Beside a syntax error only those errors count that it
/// cannot have caused: not those on its lines, not those about values it left without a place, and
/// nothing about what seems to be missing.
fn merge(text: &str, syntax: Vec<Diagnostic>, data: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let line = |diagnostic: &Diagnostic| crate::line_column(text, diagnostic.span.start).0;
    let broken: Vec<usize> = syntax.iter().map(line).collect();
    let caused = |diagnostic: &Diagnostic| {
        diagnostic.message == MISSING
            || diagnostic.span.is_empty()
            || broken.contains(&line(diagnostic))
    };
    let mut errors = syntax;
    errors.extend(data.into_iter().filter(|diagnostic| broken.is_empty() || !caused(diagnostic)));
    errors.sort_by_key(|diagnostic| diagnostic.span.start);
    errors
}

/// A text as a label: lower-case, `-` for what is not allowed.
fn label(text: &str) -> String {
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }
    };
    let mapped: String = text.chars().map(allowed).collect();
    let begun = mapped.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let bounded: String = begun.chars().take(63).collect();
    match bounded.trim_end_matches('-') {
        "" => "function".to_owned(),
        label => label.to_owned(),
    }
}
