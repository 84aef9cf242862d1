//! `wasi:config/store`: the values of the manifest's `config` and `secret` tables.

use wasmtime::component::Linker;
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};

use crate::sandbox::Sandbox;

pub(crate) fn add_to_linker(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    wasmtime_wasi_config::add_to_linker(linker, |sandbox: &mut Sandbox| {
        WasiConfig::from(&sandbox.function.variables)
    })
}

/// The values in the form the interface wants.
pub(crate) fn variables(config: &[(String, String)]) -> WasiConfigVariables {
    config.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}
