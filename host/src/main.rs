//! `wfh`, the WebAssembly function host: command line, wiring, signals, drain.
//!
//! Layer L3. The only crate that knows everything, and the only place that reads configuration
//! files, the environment and signals.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

mod build;
mod cli;
mod client;
mod deploy;
mod doctor;
mod environment;
mod error;
mod gauges;
mod load;
mod local;
mod log;
mod machine;
mod manifest_file;
mod measured;
mod output;
mod outside;
mod progress;
mod pulling;
mod replica;
mod ring;
mod runtime;
mod scaffold;
mod serve;
mod settings;
mod store;
mod telemetry;
mod verb;
mod watch;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::run(&cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Logs that were held back explain the error; they come first.
            log::release();
            log::flush();
            // Nobody is left to tell when standard error is gone.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}
