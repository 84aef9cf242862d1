//! What the engine is told. The host makes these from the manifest.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wfh_event::{FunctionName, Target};
use wfh_invoke::{Publisher, StateStore};
use wfh_manifest::HttpGrant;

use crate::outgoing::Resolve;

/// Whether freed memory is reset by scanning the page map (Linux 6.7 and later).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PagemapScan {
    /// Where the kernel offers it.
    #[default]
    Auto,
    /// Always; starting fails where the kernel does not.
    On,
    /// Never.
    Off,
}

/// The engine as a whole.
#[derive(Clone)]
pub struct EngineConfig {
    /// Sandboxes that may exist at once.
    pub instances_max: u32,
    /// The largest memory any function may have, in bytes.
    pub memory_bytes_max: u64,
    /// Bytes of the memories of all sandboxes together. Beyond them a guest gets no more, and shortly
    /// before no further sandbox begins.
    pub host_memory_bytes_max: u64,
    /// Bytes of a freed memory that stay resident for the next sandbox.
    pub memory_keep_resident_bytes: u64,
    /// Bytes of a freed table that stay resident for the next sandbox.
    pub table_keep_resident_bytes: u64,
    /// How freed memory is reset.
    pub pagemap_scan: PagemapScan,
    /// The most elements any function's table may have.
    pub table_elements_max: u32,
    /// How long a component's init may run before its snapshot.
    pub init_timeout: Duration,
    /// The stack of a guest, in bytes.
    pub stack_bytes_max: u64,
    /// Where compiled components are kept; `None` keeps none.
    pub cache_dir: Option<PathBuf>,
    /// The most bytes kept there.
    pub cache_bytes_max: u64,
    /// Threads of low priority for guests that hog their core.
    pub background_threads: usize,
    /// How outgoing calls behave.
    pub outgoing: OutgoingConfig,
    /// What is behind the capabilities that need more than this process.
    pub capabilities: Capabilities,
}

/// What the host puts behind capabilities. A component that imports one without an implementation
/// is refused.
#[derive(Clone, Default)]
pub struct Capabilities {
    /// Behind `wfh:function/state` and `wasi:keyvalue`.
    pub state: Option<Arc<dyn StateStore>>,
    /// Behind `wfh:function/publish`.
    pub publisher: Option<Arc<dyn Publisher>>,
}

/// Outgoing calls of all functions.
#[derive(Clone)]
pub struct OutgoingConfig {
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// From the sent request to the answer's headers.
    pub first_byte_timeout: Duration,
    /// Between two pieces of an answer's body.
    pub between_bytes_timeout: Duration,
    /// Idle connections kept per function and destination.
    pub idle_connections_max: usize,
    /// Resolves names; tests put their own here.
    pub resolver: Arc<dyn Resolve>,
    /// The ports that no guest reaches on this machine: the admin port.
    pub ports_denied: Arc<arc_swap::ArcSwap<Vec<u16>>>,
}

/// What to do with a component that has an init.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InitMode {
    /// Run it, and refuse the function if that fails.
    #[default]
    Strict,
    /// Serve it without a snapshot, as if its init had not run.
    Lenient,
    /// Do not run it.
    Off,
}

/// A directory a guest may open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileGrant {
    /// The directory on this machine.
    pub host: PathBuf,
    /// The path the guest sees.
    pub guest: String,
    /// Whether it may write there.
    pub write: bool,
}

/// One function: its limits and its grants.
#[derive(Clone, PartialEq)]
pub struct FunctionConfig {
    /// Its name, for logs.
    pub name: FunctionName,
    /// Bytes of all its memories together, per sandbox.
    pub memory_bytes_max: u64,
    /// Elements of each of its tables.
    pub table_elements_max: u32,
    /// Handles (files, bodies, pollables, ...) a sandbox may hold.
    pub handles_max: usize,
    /// Invocations a sandbox may serve; 1 is a fresh sandbox each time.
    pub reuse: u32,
    /// Invocations a WASI 0.3 sandbox may serve at once.
    pub reuse_concurrency: u32,
    /// Bytes of output kept per invocation.
    pub log_bytes_max: u64,
    /// Bytes of a body that an event function is given at once.
    pub event_bytes_max: u64,
    /// What to do when init cannot be snapshotted.
    pub init: InitMode,
    /// Environment variables, by name.
    pub env: Vec<(String, String)>,
    /// Values of `wasi:config`, secrets among them. Never printed.
    pub config: Vec<(String, String)>,
    /// Directories.
    pub files: Vec<FileGrant>,
    /// Destinations of outgoing calls.
    pub http: Vec<HttpGrant>,
    /// Functions it may call as `http://NAME.wfh.internal/`.
    pub invoke: Vec<FunctionName>,
    /// Targets it may send and emit to.
    pub send: Vec<Target>,
    /// Whether it may keep state.
    pub state: bool,
    /// Outgoing calls an invocation may have open at once.
    pub outgoing_max: usize,
}

impl FunctionConfig {
    /// A function with the manifest's default limits and no grant.
    #[must_use]
    pub fn new(name: FunctionName) -> Self {
        Self {
            name,
            memory_bytes_max: 128 << 20,
            table_elements_max: 20_000,
            handles_max: 1024,
            reuse: 1,
            reuse_concurrency: 1,
            log_bytes_max: 1 << 20,
            event_bytes_max: 1 << 20,
            init: InitMode::Strict,
            env: Vec::new(),
            config: Vec::new(),
            files: Vec::new(),
            http: Vec::new(),
            invoke: Vec::new(),
            send: Vec::new(),
            state: false,
            outgoing_max: 16,
        }
    }
}
