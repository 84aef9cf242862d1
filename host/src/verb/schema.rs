//! `wfh schema`: the JSON Schema of the manifest.

use wfh_manifest::Manifest;

use crate::error::Error;
use crate::output;

/// Prints it.
pub(crate) fn run() -> Result<(), Error> {
    output::json(&Manifest::json_schema())
}
