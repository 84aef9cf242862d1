//! The command line, as docs/cli.md describes it: a list of the verbs.

use clap::{Parser, Subcommand};

use crate::error::Error;
use crate::verb::{
    bench, build, check, completions, dlq, doctor, functions, invoke, logs, man, new, queue,
    schedules, schema, serve, store, traces,
};

/// WebAssembly function host: runs components as functions, each call in a sandbox of its own.
#[derive(Debug, Parser)]
#[command(name = "wfh", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a manifest, or a bare component on `/` and below
    Serve(serve::Serve),
    /// Make a project from a template
    New(new::New),
    /// Run build commands, pre-initialize and compile into the cache
    Build(build::Build),
    /// Parse and validate everything a serve would, without opening a port
    Check(check::Check),
    /// Call a function, of a running host or in this process
    Invoke(invoke::Invoke),
    /// List the functions of a running host
    Functions(functions::Functions),
    /// Send to queues, and see and empty them
    Queue(queue::Queue),
    /// Measure a function in a process of its own
    Bench(bench::Bench),
    /// See where the last events of a running host went
    Traces(traces::Traces),
    /// See schedules, pause, resume and run them
    Schedules(schedules::Schedules),
    /// See dead letters, send them again, throw them away
    Dlq(dlq::Dlq),
    /// Print what functions printed and how invocations ended
    Logs(logs::Logs),
    /// Move what the store holds to JSON Lines and back
    Store(store::Store),
    /// Print the JSON Schema of the manifest
    Schema,
    /// Print the completions of a shell
    Completions(completions::Completions),
    /// Print the manual page of wfh, or of a verb
    Man(man::Man),
    /// Say what this machine lacks, and what mends it
    Doctor(doctor::Doctor),
}

/// Runs the verb of the command line.
pub(crate) fn run(cli: &Cli) -> Result<(), Error> {
    match &cli.command {
        Command::Serve(options) => serve::run(options),
        Command::New(options) => new::run(options),
        Command::Build(options) => build::run(options),
        Command::Check(options) => check::run(options),
        Command::Invoke(options) => invoke::run(options),
        Command::Functions(options) => functions::run(options),
        Command::Queue(options) => queue::run(options),
        Command::Schedules(options) => schedules::run(options),
        Command::Bench(options) => bench::run(options),
        Command::Traces(options) => traces::run(options),
        Command::Dlq(options) => dlq::run(options),
        Command::Logs(options) => logs::run(options),
        Command::Store(options) => store::run(options),
        Command::Schema => schema::run(),
        Command::Completions(options) => completions::run(options),
        Command::Man(options) => man::run(options),
        Command::Doctor(options) => doctor::run(options),
    }
}
