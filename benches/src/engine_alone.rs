//! The engine without HTTP: an event-sized call, fresh sandbox each, one thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use wfh_engine::{
    Capabilities, Engine, EngineConfig, FunctionConfig, OutgoingConfig, PagemapScan, SystemResolver,
};
use wfh_event::{Event, EventId};
use wfh_invoke::{Input, Invocation, Invoke, Item, Outcome, new_invocation_id};
use wfh_telemetry::TraceContext;

const CALLS: u32 = 20_000;
const ROUNDS: usize = 7;

/// Microseconds per call, the median of several rounds.
pub(crate) fn micros(wasm: &[u8]) -> f64 {
    let engine = Engine::new(config()).expect("an engine");
    let name = "event".parse().expect("a name");
    let function = engine.load(FunctionConfig::new(name), wasm).expect("a function");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let rounds = (0..ROUNDS).map(|_| {
        runtime.block_on(async {
            let start = Instant::now();
            for _ in 0..CALLS {
                let outcomes = function.invoke(invocation()).await;
                assert!(matches!(outcomes.as_slice(), [Outcome::Done(_)]), "the guest failed");
            }
            start.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
        })
    });
    crate::report::median(rounds.collect())
}

fn invocation() -> Invocation {
    let id = new_invocation_id();
    let mut event = Event::new(EventId::from(id), "/bench", "echo");
    event.data = Some(vec![b'x'; 256].into());
    Invocation {
        phases: None,
        id,
        target: "function:event".parse().expect("a target"),
        deadline: None,
        hops: 0,
        attempts_max: 1,
        trace: TraceContext::root(),
        input: Input::Events(vec![Item::new(event, String::new())]),
    }
}

fn config() -> EngineConfig {
    EngineConfig {
        instances_max: 1000,
        memory_bytes_max: 128 << 20,
        host_memory_bytes_max: 4 << 30,
        memory_keep_resident_bytes: 2 << 20,
        table_keep_resident_bytes: 64 << 10,
        pagemap_scan: PagemapScan::Auto,
        table_elements_max: 20_000,
        init_timeout: Duration::from_secs(60),
        stack_bytes_max: 1 << 20,
        cache_dir: None,
        cache_bytes_max: 0,
        background_threads: 1,
        capabilities: Capabilities::default(),
        outgoing: OutgoingConfig {
            connect_timeout: Duration::from_secs(1),
            first_byte_timeout: Duration::from_secs(1),
            between_bytes_timeout: Duration::from_secs(1),
            idle_connections_max: 1,
            resolver: Arc::new(SystemResolver),
            ports_denied: Arc::new(ArcSwap::default()),
        },
    }
}
