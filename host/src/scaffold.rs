//! Projects made from templates. The templates and the Rust SDK are part of the binary, so that a
//! plain binary is enough.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Where a project keeps the SDK when it is told no other place.
const SDK_FOLDER: &str = ".wfh-sdk";
/// What cargo, or the SDK, has another meaning for.
const RESERVED: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "wfh",
    "where",
    "while",
    "yield",
];

/// A template.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Template {
    pub(crate) name: &'static str,
    pub(crate) makes: &'static str,
    pub(crate) needs: &'static str,
    #[serde(skip)]
    is_rust: bool,
}

const RUST: &str = "Rust by rustup";

/// All of them.
pub(crate) const TEMPLATES: &[Template] = &[
    Template { name: "http-rust", makes: "an HTTP function in Rust", needs: RUST, is_rust: true },
    Template { name: "event-rust", makes: "an event function in Rust", needs: RUST, is_rust: true },
    Template {
        name: "batch-rust",
        makes: "a function in Rust that gets several events at once",
        needs: RUST,
        is_rust: true,
    },
    Template {
        name: "cron-rust",
        makes: "a function in Rust that runs on a schedule",
        needs: RUST,
        is_rust: true,
    },
    Template {
        name: "http-js",
        makes: "an HTTP function in JavaScript",
        needs: "Node.js 20 or later, with npm",
        is_rust: false,
    },
    Template {
        name: "http-python",
        makes: "an HTTP function in Python",
        needs: "Python 3.10 or later, with venv",
        is_rust: false,
    },
];

/// Why a name is none for a project, a function and a crate at once.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let parsed: Result<wfh_event::FunctionName, _> = name.parse();
    parsed.map_err(|error| error.to_string())?;
    if RESERVED.contains(&name) {
        return Err("cargo or the SDK has another meaning for it; choose another name".to_owned());
    }
    Ok(())
}

impl Template {
    /// Writes the project to a directory that is not there yet.
    pub(crate) fn write(&self, directory: &Path, name: &str, sdk: Option<&Path>) -> io::Result<()> {
        // Fails when there is anything of that name: nothing is ever overwritten.
        fs::create_dir(directory)?;
        let values = Values::new(name, sdk);
        let prefix = format!("{}/", self.name);
        for (path, text) in TEMPLATE_FILES {
            if let Some(path) = path.strip_prefix(&prefix) {
                write(&directory.join(visible(path)), &values.fill(text))?;
            }
        }
        if self.is_rust && sdk.is_none() {
            for (path, text) in SDK_FILES {
                write(&directory.join(SDK_FOLDER).join(path), text)?;
            }
        }
        if !self.is_rust {
            for (path, text) in TEMPLATE_FILES {
                if let Some(path) = path.strip_prefix("wit/") {
                    write(&directory.join("wit/deps").join(path), text)?;
                }
            }
        }
        Ok(())
    }
}

/// What stands for `{{...}}` in a template.
struct Values([(&'static str, String); 4]);

impl Values {
    fn new(name: &str, sdk: Option<&Path>) -> Self {
        let path = sdk.map_or(PathBuf::from(SDK_FOLDER).join("rust"), Path::to_owned);
        let note = match sdk {
            None => {
                "`.wfh-sdk` is the SDK of the wfh that made this project: keep it with your sources."
            }
            Some(_) => "",
        };
        Self([
            ("{{name}}", name.to_owned()),
            ("{{crate_name}}", name.replace('-', "_")),
            // A path in TOML is a string with escapes, and so is Rust's.
            ("{{sdk}}", format!("path = {:?}", path.display().to_string())),
            ("{{sdk_note}}", note.to_owned()),
        ])
    }

    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (key, value)| text.replace(key, value))
    }
}

/// A `.gitignore` among the templates would hide files of our own repository.
fn visible(path: &str) -> &str {
    if path == "gitignore" { ".gitignore" } else { path }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_good_for_functions_and_crates() {
        for name in ["hello", "a1", "my-shop", "my_shop"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "Hello", "1a", "a/b", "..", "a b", "test", "wfh", "fn", "a-", "é"] {
            assert!(check_name(name).is_err(), "{name:?} is taken");
        }
    }

    #[test]
    fn every_template_has_a_manifest_a_readme_and_nothing_unfilled() {
        for template in TEMPLATES {
            let parent = tempfile::tempdir().unwrap();
            let directory = parent.path().join("my-shop");
            template.write(&directory, "my-shop", None).unwrap();
            for file in ["wfh.toml", "README.md", ".gitignore"] {
                let text = fs::read_to_string(directory.join(file)).unwrap();
                assert!(!text.contains("{{"), "{}/{file}: {text}", template.name);
            }
            let text = fs::read_to_string(directory.join("wfh.toml")).unwrap();
            wfh_manifest::Manifest::parse(&text, &|_| None).unwrap();
            let again = template.write(&directory, "my-shop", None).unwrap_err();
            assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        }
    }

    #[test]
    fn all_templates_are_listed() {
        let folders: std::collections::BTreeSet<&str> =
            TEMPLATE_FILES.iter().filter_map(|(path, _)| path.split('/').next()).collect();
        for folder in folders.into_iter().filter(|folder| *folder != "wit") {
            assert!(TEMPLATES.iter().any(|template| template.name == folder), "{folder}");
        }
    }
}
