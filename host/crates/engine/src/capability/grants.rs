//! What of a component's imports it is not given, and which line of the manifest would give it.

use wfh_event::FunctionName;

use crate::config::Capabilities;
use crate::{EngineError, FunctionConfig};

/// An import that needs a grant.
#[derive(Clone, Copy)]
enum Grant {
    State,
    Send,
}

const GRANTED: &[(&str, Grant)] = &[
    ("wfh:function/state@", Grant::State),
    ("wasi:keyvalue/", Grant::State),
    ("wfh:function/publish@", Grant::Send),
];

/// The packages that can be imported, each with how its versions begin.
const OFFERED: &[(&str, &[&str])] = &[
    ("wasi:cli", &["0.2.", "0.3."]),
    ("wasi:clocks", &["0.2.", "0.3."]),
    ("wasi:config", &["0.2.0-rc.1"]),
    ("wasi:filesystem", &["0.2.", "0.3."]),
    ("wasi:http", &["0.2.", "0.3."]),
    ("wasi:io", &["0.2."]),
    ("wasi:keyvalue", &["0.2.0-draft"]),
    ("wasi:random", &["0.2.", "0.3."]),
    ("wasi:sockets", &["0.2.", "0.3."]),
    ("wfh:function", &["0.1."]),
];

/// Refuses a component whose imports are not all given.
pub(crate) fn check(
    imports: &[String],
    config: &FunctionConfig,
    capabilities: &Capabilities,
) -> Result<(), EngineError> {
    let lacks = |import: &&String| grant(import).is_some_and(|grant| !has(capabilities, grant));
    let later: Vec<String> = imports.iter().filter(lacks).cloned().collect();
    if !later.is_empty() {
        return Err(EngineError::NotOffered { imports: later });
    }
    let missing: Vec<String> = imports.iter().filter_map(|name| missing(name, config)).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(EngineError::Imports { imports: missing }),
    }
}

fn grant(import: &str) -> Option<Grant> {
    GRANTED.iter().find(|(prefix, _)| import.starts_with(prefix)).map(|(_, grant)| *grant)
}

/// Whether the host was given what is behind a grant.
fn has(capabilities: &Capabilities, grant: Grant) -> bool {
    match grant {
        Grant::State => capabilities.state.is_some(),
        Grant::Send => capabilities.publisher.is_some(),
    }
}

/// Why an import is not given, if it is not.
fn missing(import: &str, config: &FunctionConfig) -> Option<String> {
    if let Some(reason) = not_offered(import) {
        return Some(format!("{import}: {reason}"));
    }
    let line = match grant(import)? {
        Grant::State if !config.state => "`allow.state = true`",
        Grant::Send if config.send.is_empty() => "`allow.send = [\"queue:NAME\", ...]`",
        Grant::State | Grant::Send => return None,
    };
    Some(needs(import, line, &config.name))
}

fn needs(import: &str, line: &str, function: &FunctionName) -> String {
    format!("{import}: needs {line} under [function.{function}]")
}

fn not_offered(import: &str) -> Option<String> {
    let Some((interface, version)) = import.split_once('@') else {
        return Some("no capability offers it".to_owned());
    };
    let package = interface.split('/').next().unwrap_or_default();
    let Some((_, versions)) = OFFERED.iter().find(|(name, _)| *name == package) else {
        return Some("no capability offers it".to_owned());
    };
    // A draft is only itself; a release takes every later one of its track.
    let is_offered = |begin: &&str| match begin.ends_with('.') {
        true => version.starts_with(*begin) && !version.contains('-'),
        false => version == *begin,
    };
    if versions.iter().any(is_offered) {
        return None;
    }
    let offered: Vec<String> =
        versions.iter().map(|begin| format!("{package}@{}", begin.trim_end_matches('.'))).collect();
    Some(format!("this host offers {}", offered.join(" and ")))
}

#[cfg(test)]
mod tests;
