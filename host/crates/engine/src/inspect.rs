//! What a component is, read from its imports and exports before anything is compiled.

use wasmparser::{ComponentExternalKind, ComponentTypeRef, Encoding, Parser, Payload};

pub(crate) use wfh_invoke::FunctionKind as Kind;

use crate::EngineError;

const EXPECTED: &str = "wasi:http/incoming-handler@0.2, wasi:http/handler@0.3, \
    wfh:function/handler@0.1, wfh:function/batch-handler@0.1, wfh:function/async-handler@0.1 or \
    wfh:function/async-batch-handler@0.1";

/// A component's outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    /// The full name of its init interface, if it has one.
    pub(crate) init: Option<String>,
    /// Whether it needs the engine with WASI 0.3.
    pub(crate) is_p3: bool,
    /// The full names of what it imports.
    pub(crate) imports: Vec<String>,
}

/// Reads the outside of a component.
pub(crate) fn inspect(wasm: &[u8]) -> Result<Shape, EngineError> {
    let (imports, exports) = names(wasm)?;
    let kind = exports
        .iter()
        .find_map(|name| kind_of(name))
        .ok_or_else(|| EngineError::NoHandler { expected: EXPECTED, exports: exports.clone() })?;
    let speaks_p3 = imports.iter().chain(&exports).any(|name| {
        name.starts_with("wasi:") && name.split_once('@').is_some_and(|(_, v)| v.starts_with("0.3"))
    });
    let init = exports.into_iter().find(|name| name.starts_with("wfh:function/init@0.1"));
    Ok(Shape { kind, init, is_p3: kind.is_p3() || speaks_p3, imports })
}

fn kind_of(export: &str) -> Option<Kind> {
    let is = |prefix| export.starts_with(prefix);
    match () {
        () if is("wasi:http/incoming-handler@0.2") => Some(Kind::HttpP2),
        () if is("wasi:http/handler@0.3") => Some(Kind::HttpP3),
        () if is("wfh:function/handler@0.1") => Some(Kind::Event),
        () if is("wfh:function/batch-handler@0.1") => Some(Kind::Batch),
        () if is("wfh:function/async-handler@0.1") => Some(Kind::AsyncEvent),
        () if is("wfh:function/async-batch-handler@0.1") => Some(Kind::AsyncBatch),
        () => None,
    }
}

/// The names of the outermost component's imports and exports.
fn names(wasm: &[u8]) -> Result<(Vec<String>, Vec<String>), EngineError> {
    let invalid = |error: wasmparser::BinaryReaderError| EngineError::Compile(error.to_string());
    if !wasm.starts_with(b"\0asm") {
        return Err(EngineError::NotAComponent("a file of another format"));
    }
    let (mut imports, mut exports, mut depth) = (Vec::new(), Vec::new(), 0_u32);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(invalid)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(EngineError::NotAComponent("a core module"));
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(invalid)?;
                    if !matches!(import.ty, ComponentTypeRef::Type(_)) {
                        imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(invalid)?;
                    if export.kind != ComponentExternalKind::Type {
                        exports.push(export.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}
