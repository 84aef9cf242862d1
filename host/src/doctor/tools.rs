//! Compilers and component tools.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Finding;
use crate::manifest_file::ManifestFile;

const TARGET: &str = "wasm32-wasip2";
/// Some tools start an interpreter first.
const ANSWER_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
const INSTALL_RUSTUP: &str = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --target wasm32-wasip2";

/// A tool that is asked for its version.
struct Tool {
    name: &'static str,
    /// What of a build command shows that it is needed.
    needed_by: &'static [&'static str],
    mend: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "node",
        needed_by: &["node", "npm", "npx", "componentize-js"],
        mend: "install Node.js 20 or later (https://nodejs.org)",
    },
    Tool {
        name: "npm",
        needed_by: &["npm", "npx"],
        mend: "install Node.js 20 or later (https://nodejs.org)",
    },
    Tool {
        name: "python3",
        needed_by: &["python3", "python", "pip", "componentize-py"],
        mend: "install Python 3.10 or later (https://python.org)",
    },
    Tool {
        name: "componentize-py",
        needed_by: &["componentize-py"],
        mend: "pip install componentize-py==0.25.1",
    },
];

/// Looks for what the manifest's build commands need; without a manifest for all of it.
pub(super) fn examine(file: Option<&ManifestFile>) -> Vec<Finding> {
    let commands: Option<Vec<&str>> = file.map(|file| {
        let builds =
            file.manifest.functions.values().filter_map(|function| function.build.as_ref());
        builds.map(|build| build.command.as_str()).collect()
    });
    let directory = file.map_or(Path::new("."), |file| file.directory.as_path());
    let is_used = |words: &[&str]| match &commands {
        None => true,
        Some(commands) => commands.iter().any(|command| mentions(command, words)),
    };
    let is_needed = commands.is_some();
    let mut findings = Vec::new();
    if is_used(&["cargo"]) {
        findings.extend(rust(directory, is_needed));
    }
    let used = TOOLS.iter().filter(|tool| is_used(tool.needed_by));
    findings.extend(used.map(|tool| version(tool, directory, is_needed)));
    findings
}

/// Whether a shell command holds one of these words, with or without a path before it.
fn mentions(command: &str, words: &[&str]) -> bool {
    let parts = command.split(|c: char| c.is_whitespace() || ";&|()'\"".contains(c));
    let mut names = parts.map(|part| part.rsplit('/').next().unwrap_or(part));
    names.any(|name| words.contains(&name))
}

fn version(tool: &Tool, directory: &Path, is_needed: bool) -> Finding {
    match ask(tool.name, &["--version"], directory) {
        Ok(said) => Finding::ok(tool.name, first_line(&said)),
        Err(reason) => Finding::lacking(is_needed, tool.name, reason, tool.mend),
    }
}

/// The toolchain that cargo would take in this directory, and its target.
fn rust(directory: &Path, is_needed: bool) -> Vec<Finding> {
    let toolchain = match ask("rustup", &["show", "active-toolchain"], directory) {
        Ok(said) => Finding::ok("rust toolchain", first_line(&said)),
        Err(_) if ask("rustup", &["--version"], directory).is_ok() => {
            let found = "the toolchain of this directory is not installed";
            Finding::lacking(is_needed, "rust toolchain", found, "rustup toolchain install")
        }
        Err(_) => return plain_rust(directory, is_needed),
    };
    let installed = ask("rustup", &["target", "list", "--installed"], directory);
    let has_target = installed.is_ok_and(|said| said.lines().any(|line| line.trim() == TARGET));
    let target = match has_target {
        true => Finding::ok("rust target", TARGET),
        false => Finding::lacking(
            is_needed,
            "rust target",
            format!("{TARGET} is not installed"),
            "rustup target add wasm32-wasip2",
        ),
    };
    vec![toolchain, target]
}

/// Rust that did not come from rustup must bring the target by itself.
fn plain_rust(directory: &Path, is_needed: bool) -> Vec<Finding> {
    let asked = ["--print", "target-libdir", "--target", TARGET];
    let finding = match ask("rustc", &asked, directory) {
        Ok(libraries) if Path::new(libraries.trim()).is_dir() => {
            Finding::ok("rust toolchain", format!("without rustup, with {TARGET}"))
        }
        Ok(_) => {
            let found = format!("Rust without rustup, and without {TARGET}");
            Finding::lacking(is_needed, "rust toolchain", found, INSTALL_RUSTUP)
        }
        Err(reason) => Finding::lacking(is_needed, "rust toolchain", reason, INSTALL_RUSTUP),
    };
    vec![finding]
}

/// What a tool prints, within a bound.
fn ask(tool: &str, args: &[&str], directory: &Path) -> Result<String, String> {
    let mut command = Command::new(tool);
    command.args(args).current_dir(directory).stdin(Stdio::null());
    // To look must not change anything.
    command.env("RUSTUP_AUTO_INSTALL", "0");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = child.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("`{tool}` is not installed"),
        _ => format!("`{tool}` cannot run: {error}"),
    })?;
    let began = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() < ANSWER_MAX => std::thread::sleep(POLL),
            _ => {
                // It is ours, and of no use any more.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("`{tool}` does not answer within {ANSWER_MAX:?}"));
            }
        }
    };
    let mut said = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        // What is not text says nothing.
        let _ = stdout.read_to_string(&mut said);
    }
    match status.success() {
        true => Ok(said),
        false => Err(format!("`{tool} {}` failed: {status}", args.join(" "))),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_found_in_commands() {
        for command in ["npm ci && npx componentize-js", "cd a;npm ci", "/usr/bin/npm ci"] {
            assert!(mentions(command, &["npm"]), "{command}");
        }
        assert!(!mentions("cargo build --bin npm-like", &["npm"]));
    }

    #[test]
    fn what_is_missing_or_fails_is_said() {
        let here = Path::new("/");
        assert_eq!(ask("echo", &["hi"], here), Ok("hi\n".to_owned()));
        assert!(ask("no-such-tool", &[], here).unwrap_err().contains("not installed"));
        assert!(ask("false", &[], here).unwrap_err().contains("failed"));
    }
}
