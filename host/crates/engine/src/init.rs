//! Pre-initialization: runs a component's init once and keeps the snapshot.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::runtime::Builder;
use wasmtime::component::{Linker, ResourceTable, Val};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wizer::Wizer;

use crate::EngineError;
use crate::limiter::Limiter;
use crate::running::on_epoch;

/// What the snapshotter may copy between host and guest: more than any memory we allow.
const HOSTCALL_FUEL: usize = 8 << 30;

/// What an init sees: clocks and nothing else.
struct Inside {
    limiter: Limiter,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Inside {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Runs `interface.init` of `wasm` and gives the snapshot. Blocks the thread.
pub(crate) fn snapshot(
    engine: &Engine,
    wasm: &[u8],
    interface: &str,
    (memory_bytes_max, table_elements_max): (u64, u32),
    init_timeout: Duration,
) -> Result<Vec<u8>, EngineError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| EngineError::Init(error.to_string()))?;
    // The snapshotter panics where it should fail; nothing of its state is looked at afterwards.
    let limiter = Limiter::new(memory_bytes_max, table_elements_max);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let run = run(engine, wasm, interface, limiter);
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
    interface: &str,
    limiter: Limiter,
) -> Result<Vec<u8>, EngineError> {
    let failed = |error: wasmtime::Error| EngineError::Init(format!("{error:#}"));
    let (name, version) = interface.split_once('@').unwrap_or((interface, "0.1.0"));
    let function = format!("{name}.init@{version}()");
    let inside = Inside {
        limiter,
        wasi: WasiCtxBuilder::new().allow_tcp(false).allow_udp(false).build(),
        table: ResourceTable::new(),
    };
    let mut store = Store::new(engine, inside);
    store.limiter(|inside| &mut inside.limiter);
    store.set_hostcall_fuel(HOSTCALL_FUEL);
    store.epoch_deadline_callback(|_| Ok(on_epoch()));
    store.set_epoch_deadline(1);
    let mut linker = Linker::<Inside>::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(failed)?;
    forbid_random(&mut linker).map_err(failed)?;
    let (snapshot, values) = Wizer::new()
        .init_func(&function)
        .run_component(&mut store, wasm, async |store, component| {
            linker.define_unknown_imports_as_traps(component)?;
            linker.instantiate_async(store, component).await
        })
        .await
        .map_err(failed)?;
    if let [Val::Result(Err(reason))] = values.as_slice() {
        return Err(EngineError::Init(reason_text(reason.as_deref())));
    }
    if !store.data().table.is_empty() {
        let detail = "it left a handle open (a printed stream, a file or a request), which would \
                      trap in every sandbox made from the snapshot";
        return Err(EngineError::Init(detail.to_owned()));
    }
    Ok(snapshot)
}

/// A number drawn before the snapshot would be the same in every sandbox.
fn forbid_random(linker: &mut Linker<Inside>) -> wasmtime::Result<()> {
    const REASON: &str = "init must not draw from wasi:random/random: every sandbox made from the \
                          snapshot would hold the same numbers";
    linker.allow_shadowing(true);
    let mut random = linker.instance("wasi:random/random@0.2.0")?;
    random.func_wrap("get-random-bytes", |_, (_,): (u64,)| -> wasmtime::Result<(Vec<u8>,)> {
        wasmtime::bail!("{REASON}")
    })?;
    random.func_wrap("get-random-u64", |_, (): ()| -> wasmtime::Result<(u64,)> {
        wasmtime::bail!("{REASON}")
    })?;
    // Only imports that are really unknown may become traps.
    linker.allow_shadowing(false);
    Ok(())
}

fn reason_text(reason: Option<&Val>) -> String {
    match reason {
        Some(Val::String(reason)) => format!("it answered with the error {reason:?}"),
        _ => "it answered with an error".to_owned(),
    }
}
