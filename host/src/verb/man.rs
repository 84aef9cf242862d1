//! `wfh man`: the manual, a page for each verb.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Command, CommandFactory};

use crate::cli::Cli;
use crate::error::Error;
use crate::output;

/// `wfh man`
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The verb whose page is printed, such as `serve`; without it the page of `wfh`
    verb: Vec<String>,
    /// Write every page into this directory instead
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "verb")]
    out_dir: Option<PathBuf>,
}

/// Prints a page, or writes all of them.
pub(crate) fn run(options: &Man) -> Result<(), Error> {
    let mut command = Cli::command().disable_help_subcommand(true);
    // Names pages `wfh-serve` and usages `wfh serve`.
    command.build();
    if let Some(directory) = &options.out_dir {
        std::fs::create_dir_all(directory).map_err(|error| Error::file(directory, error))?;
        return clap_mangen::generate_to(command, directory)
            .map_err(|error| Error::file(directory, error));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(named(command, &options.verb)).render(&mut page)?;
    output::print(&page)
}

/// The command that these words call. Other words are wrong usage, as everywhere.
fn named(mut command: Command, verb: &[String]) -> Command {
    for word in verb {
        command = match command.find_subcommand(word) {
            Some(found) => found.clone(),
            None => {
                let message = format!("there is no `{word}` to print the page of");
                Cli::command().error(ErrorKind::InvalidSubcommand, message).exit()
            }
        };
    }
    command
}
