//! `wfh man`: the manual.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::error::Error;
use crate::output;

/// Prints the page.
pub(crate) fn run() -> Result<(), Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    output::print(&page)
}
