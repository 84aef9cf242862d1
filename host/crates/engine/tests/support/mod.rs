//! An engine with state and a publisher in memory, and the guests of `guest-examples/`.

pub(crate) mod memory;

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use serde_json::Value;
use wfh_engine::{
    Capabilities, Engine, EngineConfig, EngineError, Function, FunctionConfig, OutgoingConfig,
    PagemapScan, SystemResolver,
};
use wfh_event::{Event, EventId, Failure};
use wfh_invoke::{
    EventReply, HttpInput, Input, Invocation, Invoke, Item, Outcome, Reply, bytes_body,
    collect_body, new_invocation_id,
};
use wfh_telemetry::TraceContext;

use memory::MemoryState;

/// An engine whose functions share what is in `memory`.
pub(crate) struct Host {
    /// Never dropped: on a busy machine a guest moves to threads of the engine, and a test may hold
    /// no more than its function by then.
    engine: &'static Engine,
    pub(crate) memory: Arc<MemoryState>,
}

impl Host {
    pub(crate) fn new() -> Self {
        let memory = Arc::new(MemoryState::default());
        let capabilities =
            Capabilities { state: Some(memory.clone()), publisher: Some(memory.clone()) };
        let engine = Engine::new(config(capabilities)).unwrap();
        Self { engine: Box::leak(Box::new(engine)), memory }
    }

    /// A function `f` made of a guest, granted what `grant` says.
    pub(crate) fn load(&self, guest: &str, grant: impl FnOnce(&mut FunctionConfig)) -> Function {
        self.try_load(guest, grant).unwrap_or_else(|error| panic!("{guest}: {error}"))
    }

    /// The same, or why not.
    pub(crate) fn try_load(
        &self,
        guest: &str,
        grant: impl FnOnce(&mut FunctionConfig),
    ) -> Result<Function, EngineError> {
        let mut function = FunctionConfig::new("f".parse().unwrap());
        grant(&mut function);
        let wasm = component(guest);
        // Loading blocks, which a thread that drives tasks must not; its records are the test's.
        let records = tracing::dispatcher::get_default(Clone::clone);
        let load = || self.engine.load(function, &wasm);
        std::thread::scope(|scope| {
            let loading = scope.spawn(|| tracing::dispatcher::with_default(&records, load));
            loading.join().expect("loading does not panic")
        })
    }
}

/// Everything that can be granted and a test asks for.
pub(crate) fn everything(function: &mut FunctionConfig) {
    function.state = true;
    function.send =
        ["queue:done", "queue:full", "topic:paid"].map(|target| target.parse().unwrap()).into();
}

fn config(capabilities: Capabilities) -> EngineConfig {
    EngineConfig {
        instances_max: 20,
        memory_bytes_max: 128 << 20,
        host_memory_bytes_max: 4 << 30,
        memory_keep_resident_bytes: 0,
        table_keep_resident_bytes: 0,
        pagemap_scan: PagemapScan::Auto,
        table_elements_max: 20_000,
        init_timeout: Duration::from_secs(60),
        stack_bytes_max: 1 << 20,
        cache_dir: None,
        cache_bytes_max: 0,
        background_threads: 1,
        outgoing: OutgoingConfig {
            connect_timeout: Duration::from_secs(1),
            first_byte_timeout: Duration::from_secs(1),
            between_bytes_timeout: Duration::from_secs(1),
            idle_connections_max: 1,
            resolver: Arc::new(SystemResolver),
            ports_denied: Arc::new(ArcSwap::default()),
        },
        capabilities,
    }
}

/// The bytes of a guest; all of them are built once a run.
fn component(name: &str) -> Vec<u8> {
    static BUILT: OnceLock<()> = OnceLock::new();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../guest-examples");
    BUILT.get_or_init(|| {
        let built = Command::new("cargo")
            .args(["build", "--release", "--quiet"])
            .current_dir(&workspace)
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("RUSTFLAGS")
            .status()
            .expect("cargo, which builds the guests, cannot be run");
        assert!(built.success(), "the guests do not build; try `make guests`");
    });
    let path = workspace.join(format!("target/wasm32-wasip2/release/{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An item whose event has this type and this data.
pub(crate) fn item(r#type: &str, data: &str) -> Item {
    let mut event = Event::new(EventId::new("e-1").unwrap(), "/tests", r#type);
    event.data = Some(Bytes::copy_from_slice(data.as_bytes()));
    Item::new(event, "/tests#e-1".to_owned())
}

async fn invoke(function: &Function, input: Input) -> Vec<Outcome> {
    let invocation = Invocation {
        phases: None,
        id: new_invocation_id(),
        target: "function:f".parse().unwrap(),
        deadline: None,
        hops: 0,
        attempts_max: 4,
        trace: TraceContext::root(),
        input,
    };
    function.invoke(invocation).await
}

/// Calls a function with events.
pub(crate) async fn events(
    function: &Function,
    items: Vec<Item>,
) -> Vec<Result<EventReply, Failure>> {
    let outcomes = invoke(function, Input::Events(items)).await;
    outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Outcome::Done(Reply::Event(reply)) => Ok(reply),
            Outcome::Failed(failure) => Err(failure),
            _ => panic!("an event has another outcome than an event's"),
        })
        .collect()
}

/// Calls a function with one event.
pub(crate) async fn event(function: &Function, item: Item) -> Result<EventReply, Failure> {
    let mut replies = events(function, vec![item]).await;
    assert_eq!(replies.len(), 1, "one item, one outcome");
    replies.remove(0)
}

/// What `event-probe` says to one event.
pub(crate) async fn probe(function: &Function, item: Item) -> Value {
    let reply = event(function, item).await.unwrap();
    serde_json::from_slice(&reply.data.unwrap()).unwrap()
}

/// Calls a function with a request; its status and its body.
pub(crate) async fn get(function: &Function, path: &str) -> (u16, String) {
    match request(function, path, "").await {
        Reply::Http(response, _tail) => {
            let (parts, body) = response.into_parts();
            let body = collect_body(body, 1 << 20).await.unwrap();
            (parts.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
        }
        Reply::Event(_) => panic!("an HTTP function answers with a response"),
    }
}

/// Calls a function with a request.
async fn request(function: &Function, path: &str, body: &str) -> Reply {
    let uri = format!("http://localhost{path}");
    let request = http::Request::post(uri).body(bytes_body(body.to_owned())).unwrap();
    let input = HttpInput { request, route: "/{*rest}".into() };
    match invoke(function, Input::Http(Box::new(input))).await.remove(0) {
        Outcome::Done(reply) => reply,
        Outcome::Failed(failure) => panic!("{failure}"),
        Outcome::Deferred { .. } => panic!("an engine puts nothing off"),
    }
}
