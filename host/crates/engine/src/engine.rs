//! The engine: compiles, caches, links and loads.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};
use wasmtime::component::{Component, Linker};
use wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS;
use wfh_invoke::{ComponentFacts, WeakDispatcher};
use wfh_telemetry::meters;

use crate::cache::Cache;
use crate::capability;
use crate::function::{IDLE_MAX, Idle, Loaded, Shared};
use crate::init::Inside;
use crate::inspect::{Shape, inspect};
use crate::instance::Pre;
use crate::memory::{Expected, HostMemory};
use crate::outgoing::Environment;
use crate::pool::{self, Generation};
use crate::running::{Background, on_background_thread_start};
use crate::sandbox::Sandbox;
use crate::ticker::Ticker;
use crate::{EngineConfig, EngineError, Function, FunctionConfig, InitMode, init, precompiled};

/// One engine of wasmtime with everything a guest may import.
struct Half {
    engine: wasmtime::Engine,
    generation: Generation,
    linker: Linker<Sandbox>,
}

/// Compiles components and makes [`Function`]s. One per process.
pub struct Engine {
    config: EngineConfig,
    cache: Option<Cache>,
    p2: Half,
    p3: Half,
    ticker: Arc<Ticker>,
    environment: Arc<Environment>,
    memory: Arc<HostMemory>,
    /// `None` only while it is dropped.
    background: Option<Runtime>,
    loaded: Arc<Loaded>,
}

impl Engine {
    /// Reserves the pools and starts the ticking thread.
    ///
    /// # Errors
    /// The machine refuses the pool and its fallback, or the cache directory cannot be used.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let cache = match &config.cache_dir {
            Some(directory) => Some(Cache::open(directory.clone(), config.cache_bytes_max)?),
            None => None,
        };
        let (p2, p3) = (half(&config, Generation::P2)?, half(&config, Generation::P3)?);
        let start_failed = |error: std::io::Error| EngineError::Pool(error.to_string());
        let engines = vec![p2.engine.clone(), p3.engine.clone()];
        let ticker = Arc::new(Ticker::start(engines).map_err(start_failed)?);
        let background = Builder::new_multi_thread()
            .worker_threads(config.background_threads.max(1))
            .thread_name("wfh-background")
            .on_thread_start(on_background_thread_start)
            .enable_all()
            .build()
            .map_err(start_failed)?;
        let environment = Arc::new(Environment {
            config: config.outgoing.clone(),
            tls: OnceLock::new(),
            dispatcher: OnceLock::new(),
            forbidden: Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name)),
        });
        let loaded = Arc::new(Loaded::default());
        let background = Some(background);
        let memory = Arc::new(HostMemory::new(config.host_memory_bytes_max));
        Ok(Self { config, cache, p2, p3, ticker, environment, memory, background, loaded })
    }

    /// Sandboxes that live now, and how many may.
    #[must_use]
    pub fn sandboxes(&self) -> (u64, u64) {
        let live = |half: &Half| {
            let pool = half.engine.pooling_allocator_metrics();
            pool.map_or(0, |pool| pool.component_instances())
        };
        let halves = [&self.p2, &self.p3];
        (halves.map(live).iter().sum(), u64::from(self.config.instances_max) * 2)
    }

    /// Bytes that all sandboxes hold of their memory, or are expected to, and how many that may be.
    #[must_use]
    pub fn memory_bytes(&self) -> (u64, u64) {
        (self.memory.used_bytes(), self.memory.bytes_max())
    }

    /// Lets functions call each other through `dispatcher`. Only the first call counts.
    pub fn set_dispatcher(&self, dispatcher: WeakDispatcher) {
        let _ = self.environment.dispatcher.set(dispatcher);
    }

    /// Loads a component: from the cache, or compiled (and pre-initialized) now. Blocks the thread
    /// for as long as that takes.
    ///
    /// # Errors
    /// Anything that would keep the function from answering.
    pub fn load(&self, config: FunctionConfig, wasm: &[u8]) -> Result<Function, EngineError> {
        let began = Instant::now();
        let shape = inspect(wasm)?;
        capability::grants::check(&shape.imports, &config, &self.config.capabilities)?;
        check_directories(&config)?;
        let half = if shape.is_p3 { &self.p3 } else { &self.p2 };
        let mut facts = facts(&shape, wasm);
        let digest = Sha256::digest(wasm);
        let component = self.component(half, &config, &shape, (wasm, &digest), &mut facts)?;
        if shape.init.is_some() {
            // A snapshot is large: copying it now keeps that from the first request.
            let copied = component.initialize_copy_on_write_image();
            copied.map_err(|error| EngineError::Compile(format!("{error:#}")))?;
        }
        // What the imports are called is right by now; their types need not be.
        let mismatch =
            |error: wasmtime::Error| EngineError::Imports { imports: vec![format!("{error:#}")] };
        let pre = half.linker.instantiate_pre(&component).map_err(mismatch)?;
        let pre = Pre::new(shape.kind, pre).map_err(|e| EngineError::Compile(format!("{e:#}")))?;
        facts.load_time = began.elapsed();
        meters().loaded(facts.is_cached);
        Ok(Function::new(Shared {
            variables: capability::config::variables(&config.config),
            kind: shape.kind,
            version: digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect(),
            engine: half.engine.clone(),
            pre,
            environment: Arc::clone(&self.environment),
            memory: Arc::clone(&self.memory),
            expected: Expected::default(),
            capabilities: self.config.capabilities.clone(),
            client: OnceLock::new(),
            background: self.background(),
            ticker: Arc::clone(&self.ticker),
            idle: Idle::default(),
            loaded: Arc::clone(&self.loaded),
            facts,
            meters: meters().sandboxes(config.name.as_str()),
            config,
        }))
    }

    /// Drops sandboxes that have waited too long for their next call. To be called every few
    /// seconds.
    pub fn drop_idle(&self) {
        self.loaded.drop_idle(IDLE_MAX);
    }

    /// Removes the least recently used cache entries beyond the bound. A failure is logged.
    pub fn evict_cache(&self) {
        if let Some(Err(error)) = self.cache.as_ref().map(Cache::evict) {
            tracing::warn!(%error, "the compilation cache could not be cleaned up");
        }
    }

    fn component(
        &self,
        half: &Half,
        config: &FunctionConfig,
        shape: &Shape,
        (wasm, digest): (&[u8], &[u8]),
        facts: &mut ComponentFacts,
    ) -> Result<Component, EngineError> {
        let salt = match &shape.init {
            Some(_) => format!("init {:?} {}", config.init, config.memory_bytes_max),
            None => String::new(),
        };
        let key = Cache::key(&half.engine, digest, &salt);
        if let Some(compiled) = self.cache.as_ref().and_then(|cache| cache.get(&key)) {
            match precompiled::load(&half.engine, &compiled) {
                Ok(component) => {
                    facts.is_cached = true;
                    facts.compiled_bytes = compiled.len() as u64;
                    return Ok(component);
                }
                Err(error) => tracing::warn!(%error, "cache entry recompiled"),
            }
        }
        let compiled = self.compile(half, config, shape, wasm, facts)?;
        facts.compiled_bytes = compiled.len() as u64;
        if let Some(Err(error)) = self.cache.as_ref().map(|cache| cache.put(&key, &compiled)) {
            tracing::warn!(%error, "the compiled component could not be cached");
        }
        precompiled::load(&half.engine, &compiled)
    }

    fn compile(
        &self,
        half: &Half,
        config: &FunctionConfig,
        shape: &Shape,
        wasm: &[u8],
        facts: &mut ComponentFacts,
    ) -> Result<Vec<u8>, EngineError> {
        let began = Instant::now();
        let snapshot = match &shape.init {
            Some(interface) if config.init != InitMode::Off => {
                self.snapshot(half, config, interface, wasm)?
            }
            _ => None,
        };
        if let Some(snapshot) = &snapshot {
            facts.init_time = Some(began.elapsed());
            facts.snapshot_bytes = Some(snapshot.len() as u64);
        }
        let (wasm, began) = (snapshot.as_deref().unwrap_or(wasm), Instant::now());
        let compiled = half.engine.precompile_component(wasm);
        facts.compile_time = Some(began.elapsed());
        compiled.map_err(|error| EngineError::Compile(format!("{error:#}")))
    }

    fn snapshot(
        &self,
        half: &Half,
        config: &FunctionConfig,
        interface: &str,
        wasm: &[u8],
    ) -> Result<Option<Vec<u8>>, EngineError> {
        let _ticking = self.ticker.hold();
        let inside = Inside::new(config);
        let timeout = self.config.init_timeout;
        let made =
            init::snapshot(&half.engine, wasm, (interface, half.generation), inside, timeout);
        match made {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(error) if config.init == InitMode::Lenient => {
                tracing::warn!(function = %config.name, %error, "served without a snapshot");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn background(&self) -> Background {
        let threads = match &self.background {
            Some(runtime) => runtime.handle().clone(),
            None => tokio::runtime::Handle::current(),
        };
        Background { threads, hogs: AtomicBool::new(false) }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.background.take() {
            // Dropping a runtime waits for it, which a thread of another runtime must not.
            runtime.shutdown_background();
        }
    }
}

/// What is known of a component before it is compiled.
fn facts(shape: &Shape, wasm: &[u8]) -> ComponentFacts {
    ComponentFacts {
        kind: shape.kind,
        component_bytes: wasm.len() as u64,
        compiled_bytes: 0,
        is_cached: false,
        load_time: Duration::ZERO,
        compile_time: None,
        init_time: None,
        snapshot_bytes: None,
    }
}

fn half(config: &EngineConfig, generation: Generation) -> Result<Half, EngineError> {
    let engine = pool::engine(config, generation)?;
    let linker = linker(&engine, generation)
        .map_err(|error| EngineError::Pool(format!("linking failed: {error:#}")))?;
    Ok(Half { engine, generation, linker })
}

fn linker(engine: &wasmtime::Engine, generation: Generation) -> wasmtime::Result<Linker<Sandbox>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    capability::config::add_to_linker(&mut linker)?;
    capability::event::add_to_linker(&mut linker)?;
    capability::log::add_to_linker(&mut linker)?;
    capability::trace::add_to_linker(&mut linker, Sandbox::spans)?;
    capability::state::add_to_linker(&mut linker)?;
    capability::keyvalue::add_to_linker(&mut linker)?;
    capability::publish::add_to_linker(&mut linker)?;
    if generation == Generation::P3 {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }
    Ok(linker)
}

fn check_directories(config: &FunctionConfig) -> Result<(), EngineError> {
    for grant in &config.files {
        if let Err(source) = std::fs::read_dir(&grant.host) {
            return Err(EngineError::Directory { path: grant.host.clone(), source });
        }
    }
    Ok(())
}
