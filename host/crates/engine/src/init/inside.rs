//! What an init sees: clocks, an empty environment, and refusals.

use http::{Request, Response};
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::FunctionConfig;
use crate::capability;
use crate::capability::event::{Context, wit};
use crate::capability::trace::Spans;
use crate::limiter::Limiter;
use crate::log::{GuestLog, Stream};
use crate::pool::Generation;

/// The names under which wasmtime-wasi 48 links the secure generator.
const RANDOM: [(&str, Generation); 2] =
    [("wasi:random/random@0.2.12", Generation::P2), ("wasi:random/random@0.3.0", Generation::P3)];
/// A number drawn before the snapshot would be the same in every sandbox.
const NO_RANDOM: &str = "init must not draw from wasi:random/random: every sandbox made from the \
                         snapshot would hold the same numbers";

/// The data of the store that init runs in.
pub(crate) struct Inside {
    pub(super) limiter: Limiter,
    pub(crate) log: GuestLog,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoCalls,
    config: WasiConfigVariables,
    pub(crate) table: ResourceTable,
}

impl Inside {
    /// What the init of a function is given: its limits and its log, none of its grants.
    pub(crate) fn new(config: &FunctionConfig) -> Self {
        let log = GuestLog::new(config.name.clone(), None, config.log_bytes_max);
        let mut table = ResourceTable::new();
        table.set_max_capacity(config.handles_max);
        Self {
            limiter: Limiter::new(config.memory_bytes_max, config.table_elements_max, None),
            wasi: WasiCtxBuilder::new()
                .stdout(log.stream(Stream::Stdout))
                .stderr(log.stream(Stream::Stderr))
                .insecure_random_seed(0)
                .allow_tcp(false)
                .allow_udp(false)
                .allow_ip_name_lookup(false)
                .build(),
            log,
            http: WasiHttpCtx::new(),
            hooks: NoCalls,
            config: WasiConfigVariables::new(),
            table,
        }
    }

    /// Spans that nobody sees.
    fn spans(&mut self) -> Spans<'_> {
        Spans { table: &mut self.table, call: None }
    }

    /// Whether no handle would be carried into the snapshot, where it means nothing.
    pub(super) fn left_nothing_open(&self) -> bool {
        self.table.is_empty()
    }
}

/// Everything a function may import, so that every component instantiates.
pub(super) fn linker(engine: &Engine, generation: Generation) -> wasmtime::Result<Linker<Inside>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_config::add_to_linker(&mut linker, |inside: &mut Inside| {
        WasiConfig::from(&inside.config)
    })?;
    wit::add_to_linker::<Inside, HasSelf<Inside>>(&mut linker, |inside| inside)?;
    capability::log::add_to_linker(&mut linker)?;
    capability::trace::add_to_linker(&mut linker, Inside::spans)?;
    capability::state::add_to_linker(&mut linker)?;
    capability::keyvalue::add_to_linker(&mut linker)?;
    capability::publish::add_to_linker(&mut linker)?;
    if generation == Generation::P3 {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }
    linker.allow_shadowing(true);
    for (name, since) in RANDOM {
        if since == Generation::P2 || generation == Generation::P3 {
            forbid_random(&mut linker, name)?;
        }
    }
    Ok(linker)
}

fn forbid_random(linker: &mut Linker<Inside>, name: &str) -> wasmtime::Result<()> {
    let mut random = linker.instance(name)?;
    random.func_wrap("get-random-bytes", |_, (_,): (u64,)| -> wasmtime::Result<(Vec<u8>,)> {
        wasmtime::bail!("{NO_RANDOM}")
    })?;
    random.func_wrap("get-random-u64", |_, (): ()| -> wasmtime::Result<(u64,)> {
        wasmtime::bail!("{NO_RANDOM}")
    })
}

impl WasiView for Inside {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Inside {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

/// An init reaches no network.
struct NoCalls;

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for NoCalls {
    fn send_request(
        &mut self,
        _: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Io), Error>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

impl wit::Host for Inside {}

/// No invocation runs, so no handle of this type ever exists.
impl wit::HostContext for Inside {
    fn invocation_id(&mut self, _: Resource<Context>) -> wasmtime::Result<String> {
        wasmtime::bail!("init has no invocation")
    }

    fn attempts_max(&mut self, _: Resource<Context>) -> wasmtime::Result<u32> {
        wasmtime::bail!("init has no invocation")
    }

    fn remaining_ms(&mut self, _: Resource<Context>) -> wasmtime::Result<u64> {
        wasmtime::bail!("init has no invocation")
    }

    fn drop(&mut self, context: Resource<Context>) -> wasmtime::Result<()> {
        self.table.delete(context)?;
        Ok(())
    }
}
