//! Progress of compilation: bars on a terminal, lines or nothing elsewhere.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use wfh_event::FunctionName;

/// Functions being compiled.
pub(crate) struct Compiling {
    bar: ProgressBar,
    lines: bool,
}

impl Compiling {
    /// A bar over `functions` on a terminal, and nothing elsewhere: scripts wait for the first line
    /// of `serve`.
    pub(crate) fn bar(functions: usize) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = match terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(functions as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        Self { bar, lines: false }
    }

    /// A bar on a terminal, and a line for each function elsewhere.
    pub(crate) fn bar_or_lines(functions: usize) -> Self {
        Self { lines: !std::io::stderr().is_terminal(), ..Self::bar(functions) }
    }

    pub(crate) fn begins(&self, name: &FunctionName) {
        self.bar.set_message(name.to_string());
    }

    pub(crate) fn ended(&self, name: &FunctionName, compiled: bool) {
        self.bar.inc(1);
        if self.lines && compiled {
            // Nobody is left to tell when standard error is gone.
            let _ = writeln!(std::io::stderr(), "compiled {name}");
        }
    }

    pub(crate) fn done(&self) {
        self.bar.finish_and_clear();
    }
}
