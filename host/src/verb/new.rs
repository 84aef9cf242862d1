//! `wfh new`: a project that builds and runs as it is.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::error::Error;
use crate::output::{self, OutputOption};
use crate::scaffold::{TEMPLATES, Template, check_name};

/// `wfh new`
#[derive(Debug, Args)]
pub(crate) struct New {
    /// The template
    #[arg(required_unless_present = "list", value_parser = templates())]
    template: Option<String>,
    /// The project's name, its function's and that of the directory which is made for it
    #[arg(required_unless_present = "list", value_parser = parse_name)]
    name: Option<String>,
    /// List the templates
    #[arg(long, conflicts_with_all = ["template", "name", "sdk"])]
    list: bool,
    /// Take the Rust SDK from this folder (`sdk/rust` of a checkout) instead of the copy in this
    /// binary
    #[arg(long, value_name = "DIRECTORY")]
    sdk: Option<PathBuf>,
    #[command(flatten)]
    output: OutputOption,
}

/// Lists the templates, or makes a project.
pub(crate) fn run(options: &New) -> Result<(), Error> {
    let (Some(template), Some(name)) = (&options.template, &options.name) else {
        return list(options.output);
    };
    let Some(template) = TEMPLATES.iter().find(|known| known.name == *template) else {
        // The parser of the command line takes no other.
        return list(options.output);
    };
    let sdk = options.sdk.as_deref().map(sdk).transpose()?;
    let directory = Path::new(name);
    template.write(directory, name, sdk.as_deref()).map_err(|error| refused(directory, error))?;
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(
        io::stderr(),
        "made {name}/, {}; it needs {}\n\n    cd {name} && wfh serve --watch\n",
        template.makes,
        template.needs
    );
    Ok(())
}

fn list(option: OutputOption) -> Result<(), Error> {
    let row = |template: &Template| {
        [template.name, template.makes, template.needs].map(str::to_owned).to_vec()
    };
    output::listing(option, &["template", "makes", "needs"], TEMPLATES, row)
}

fn templates() -> PossibleValuesParser {
    PossibleValuesParser::new(TEMPLATES.iter().map(|template| template.name))
}

fn parse_name(name: &str) -> Result<String, String> {
    check_name(name).map(|()| name.to_owned())
}

/// The folder of the SDK, as a path that holds wherever the project is.
fn sdk(folder: &Path) -> Result<PathBuf, Error> {
    let manifest = folder.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).map_err(|error| Error::file(&manifest, error))?;
    if !text.contains("name = \"wfh-sdk\"") {
        let reason = io::Error::other("not the SDK; give the folder sdk/rust of a checkout");
        return Err(Error::file(&manifest, reason));
    }
    std::fs::canonicalize(folder).map_err(|error| Error::file(folder, error))
}

fn refused(directory: &Path, error: io::Error) -> Error {
    let error = match error.kind() {
        io::ErrorKind::AlreadyExists => {
            io::Error::other("it is there already, and nothing is overwritten; choose another name")
        }
        _ => error,
    };
    Error::file(directory, error)
}
