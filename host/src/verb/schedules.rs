//! `wfh schedules`: schedules of a running host.

use clap::{Args, Subcommand};
use http::Method;

use super::dlq::encoded;
use crate::client::{AdminOptions, Client};
use crate::error::Error;
use crate::output::{self, OutputOption};

/// `wfh schedules`
#[derive(Debug, Args)]
pub(crate) struct Schedules {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the schedules
    List {
        #[command(flatten)]
        admin: AdminOptions,
        #[command(flatten)]
        output: OutputOption,
    },
    /// Let a schedule stand still; what it misses does not fire later
    Pause(One),
    /// Let a schedule go on, from now
    Resume(One),
    /// Fire a schedule now, beside its own points in time
    Run(One),
}

#[derive(Debug, Args)]
struct One {
    /// The trigger
    name: String,
    #[command(flatten)]
    admin: AdminOptions,
}

const HEAD: &[&str] = &["name", "schedule", "target", "paused", "next", "last"];
const KEYS: &[&str] = &["/name", "/schedule", "/target", "/paused", "/next_at", "/last_at"];

/// Does it.
pub(crate) fn run(options: &Schedules) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &options.command {
            Command::List { admin, output } => {
                let schedules = Client::new(admin)?.list("/v1/schedules").await?;
                output::listing(*output, HEAD, &schedules, |one| output::cells(one, KEYS))
            }
            Command::Pause(one) => change(one, "pause").await,
            Command::Resume(one) => change(one, "resume").await,
            Command::Run(one) => change(one, "run").await,
        }
    })
}

async fn change(one: &One, verb: &str) -> Result<(), Error> {
    let path = format!("/v1/schedules/{}/{verb}", encoded(&one.name));
    Client::new(&one.admin)?.change(Method::POST, &path).await?;
    output::print(format!("{}\n", one.name).as_bytes())
}
