//! The one place with `unsafe`: compiled components are trusted machine code.
#![allow(unsafe_code, reason = "wasmtime cannot check what it did not compile in this process")]

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::EngineError;

/// Loads what [`Engine::precompile_component`] of an equally configured engine gave.
///
/// The caller has either just compiled `bytes` itself or verified their checksum in a file that
/// only this user may write.
pub(crate) fn load(engine: &Engine, bytes: &[u8]) -> Result<Component, EngineError> {
    // SAFETY: `bytes` come from `precompile_component` of this engine, or from our cache, whose
    // directory and files are writable by this user alone and whose content was checked against
    // its checksum just before. wasmtime itself refuses another version's or configuration's output.
    let component = unsafe { Component::deserialize(engine, bytes) };
    component.map_err(|error| EngineError::Compile(format!("{error:#}")))
}
