//! Pre-initialization: runs a component's init once and keeps the snapshot.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::runtime::Builder;
use wasmtime::component::Val;
use wasmtime::{Engine, Store};
use wasmtime_wizer::Wizer;

use crate::EngineError;
use crate::pool::Generation;
use crate::running::on_epoch;

mod inside;

pub(crate) use inside::Inside;
use inside::linker;

/// What the snapshotter may copy between host and guest: more than any memory we allow.
const HOSTCALL_FUEL: usize = 8 << 30;

/// Runs `interface.init` of `wasm` and gives the snapshot. Blocks the thread.
pub(crate) fn snapshot(
    engine: &Engine,
    wasm: &[u8],
    (interface, generation): (&str, Generation),
    inside: Inside,
    init_timeout: Duration,
) -> Result<Vec<u8>, EngineError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| EngineError::Init(error.to_string()))?;
    // The snapshotter panics where it should fail; nothing of its state is looked at afterwards.
    let ran = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let run = run(engine, wasm, (interface, generation), inside);
            let timed = tokio::time::timeout(init_timeout, run).await;
            timed.map_err(|_| EngineError::Init(format!("it took longer than {init_timeout:?}")))?
        })
    }));
    ran.unwrap_or_else(|_| {
        Err(EngineError::Init("its memory is too large to be snapshotted".to_owned()))
    })
}

async fn run(
    engine: &Engine,
    wasm: &[u8],
    (interface, generation): (&str, Generation),
    inside: Inside,
) -> Result<Vec<u8>, EngineError> {
    let failed = |error: wasmtime::Error| EngineError::Init(format!("{error:#}"));
    let (name, version) = interface.split_once('@').unwrap_or((interface, "0.1.0"));
    let function = format!("{name}.init@{version}()");
    let mut store = Store::new(engine, inside);
    store.limiter(|inside| &mut inside.limiter);
    store.set_hostcall_fuel(HOSTCALL_FUEL);
    store.epoch_deadline_callback(|_| Ok(on_epoch()));
    store.set_epoch_deadline(1);
    let linker = linker(engine, generation).map_err(failed)?;
    let (snapshot, values) = Wizer::new()
        .init_func(&function)
        .run_component(&mut store, wasm, async |store, component| {
            linker.instantiate_async(store, component).await
        })
        .await
        .map_err(failed)?;
    if let [Val::Result(Err(reason))] = values.as_slice() {
        return Err(EngineError::Init(reason_text(reason.as_deref())));
    }
    store.data().log.flush();
    if !store.data().left_nothing_open() {
        let detail = "it left a handle open (a printed stream, a clock or a request), which would \
                      trap in every sandbox made from the snapshot; to say something, call \
                      wfh:function/log instead of printing";
        return Err(EngineError::Init(detail.to_owned()));
    }
    Ok(snapshot)
}

fn reason_text(reason: Option<&Val>) -> String {
    match reason {
        Some(Val::String(reason)) => format!("it answered with the error {reason:?}"),
        _ => "it answered with an error".to_owned(),
    }
}

#[cfg(test)]
mod tests;
