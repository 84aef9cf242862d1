//! The data behind one sandbox: what its imports reach.

use std::sync::Arc;

use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wfh_event::InvocationId;
use wfh_telemetry::{Phases, TraceContext};

use crate::capability::trace::Spans;
use crate::function::Shared;
use crate::limiter::Limiter;
use crate::log::{GuestLog, LoggedCall, Stream};
use crate::memory::Share;
use crate::outgoing::Outgoing;
use crate::{FileGrant, FunctionConfig};

/// Spans of a call that its guest may add.
const SPANS_MAX: u32 = 128;

/// The call a sandbox serves now.
#[derive(Debug, Clone)]
pub(crate) struct CallInfo {
    pub(crate) id: InvocationId,
    pub(crate) deadline: Option<Instant>,
    pub(crate) hops: u8,
    pub(crate) attempts_max: u32,
    pub(crate) trace: TraceContext,
    /// Where it is noted how long its phases took.
    pub(crate) phases: Option<Arc<Phases>>,
    /// What outgoing calls carry as `Wfh-Event-Key`; none in a batch.
    pub(crate) event_key: Option<String>,
}

impl CallInfo {
    /// What its output is logged with.
    pub(crate) fn logged(&self) -> LoggedCall {
        LoggedCall { invocation: self.id, trace: self.trace.clone() }
    }

    /// No call yet: what a sandbox holds that is made before its first.
    pub(crate) fn none() -> Self {
        Self {
            id: InvocationId::from_parts(0, 0),
            deadline: None,
            hops: 0,
            attempts_max: 1,
            trace: TraceContext::root(),
            phases: None,
            event_key: None,
        }
    }
}

/// The data of a store.
pub(crate) struct Sandbox {
    pub(crate) function: Arc<Shared>,
    pub(crate) limiter: Limiter,
    pub(crate) call: Arc<CallInfo>,
    table: ResourceTable,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    /// Both are made when the guest first asks: many guests never do.
    wasi: Option<WasiCtx>,
    log: Option<GuestLog>,
    /// Spans of its own that the call may still have recorded.
    spans_left: u32,
}

impl Sandbox {
    /// `share` of the host's memory is its own from the beginning.
    pub(crate) fn new(function: Arc<Shared>, call: Arc<CallInfo>, share: Share) -> Self {
        let config = &function.config;
        let mut table = ResourceTable::new();
        table.set_max_capacity(config.handles_max);
        Self {
            limiter: Limiter::new(config.memory_bytes_max, config.table_elements_max, Some(share)),
            outgoing: Outgoing::new(Arc::clone(&function), Arc::clone(&call)),
            table,
            http: WasiHttpCtx::new(),
            wasi: None,
            log: None,
            spans_left: SPANS_MAX,
            call,
            function,
        }
    }

    /// The next call of a reused sandbox begins.
    pub(crate) fn begin(&mut self, call: Arc<CallInfo>) {
        if let Some(log) = &self.log {
            log.begin(call.logged());
        }
        self.outgoing.begin(Arc::clone(&call));
        self.call = call;
        self.spans_left = SPANS_MAX;
    }

    /// The guest's own spans.
    pub(crate) fn spans(&mut self) -> Spans<'_> {
        let call = Some((&self.call.trace, &mut self.spans_left));
        Spans { table: &mut self.table, call }
    }

    /// The call has ended: what it printed without a newline is written out.
    pub(crate) fn end(&mut self) {
        if let Some(log) = &self.log {
            log.flush();
        }
    }

    /// The end of what the call wrote.
    pub(crate) fn log_tail(&self) -> Option<Box<str>> {
        self.log.as_ref().and_then(GuestLog::tail)
    }

    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    /// Where its output goes.
    pub(crate) fn log(&mut self) -> &GuestLog {
        let (config, call) = (&self.function.config, &self.call);
        self.log.get_or_insert_with(|| make_log(config, call))
    }
}

fn make_log(config: &FunctionConfig, call: &CallInfo) -> GuestLog {
    GuestLog::new(config.name.clone(), Some(call.logged()), config.log_bytes_max)
}

fn make_wasi(config: &FunctionConfig, log: &GuestLog) -> WasiCtx {
    let mut builder = WasiCtxBuilder::new();
    builder
        .envs(&config.env)
        .stdout(log.stream(Stream::Stdout))
        .stderr(log.stream(Stream::Stderr))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    for grant in &config.files {
        preopen(&mut builder, grant);
    }
    builder.build()
}

/// The directory was there when the function was loaded; if it is gone by now, the guest finds
/// nothing, and the operator a record.
fn preopen(builder: &mut WasiCtxBuilder, grant: &FileGrant) {
    let permissions = if grant.write { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
    if let Err(error) = builder.preopened_dir(&grant.host, &grant.guest, permissions) {
        tracing::warn!(path = %grant.host.display(), %error, "a granted directory cannot be opened");
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.end();
    }
}

impl WasiView for Sandbox {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (config, call, log) = (&self.function.config, &self.call, &mut self.log);
        let ctx = self.wasi.get_or_insert_with(|| {
            let log = log.get_or_insert_with(|| make_log(config, call));
            make_wasi(config, log)
        });
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl WasiHttpView for Sandbox {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}
