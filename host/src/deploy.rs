//! A manifest made to run: functions loaded, stacks built, routes set; and replaced while serving.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use wfh_engine::{Engine, EngineError, Function};
use wfh_event::{FunctionName, Target};
use wfh_invoke::{Dispatcher, FunctionPolicy, HostLimit, Invoke, Router, Slot};
use wfh_manifest::{Manifest, RouteTable};
use wfh_trigger_http::{Route, Routes};

use crate::error::Error;
use crate::manifest_file::ManifestFile;
use crate::{progress, settings};

/// Everything that calls can reach.
pub(crate) struct Deployment {
    engine: Arc<Engine>,
    host: HostLimit,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) routes: Routes,
    functions: HashMap<FunctionName, Deployed>,
}

/// A function that serves.
struct Deployed {
    slot: Slot,
    stack: Arc<dyn Invoke>,
    policy: FunctionPolicy,
}

impl Deployment {
    /// A deployment of nothing yet.
    pub(crate) fn new(engine: Arc<Engine>, manifest: &Manifest) -> Self {
        let dispatcher = Dispatcher::new(Router::default());
        engine.set_dispatcher(dispatcher.downgrade());
        Self {
            engine,
            host: HostLimit::new(manifest.limits.invocations_max as usize),
            dispatcher,
            routes: Routes::new(ArcSwap::from_pointee(RouteTable::default())),
            functions: HashMap::new(),
        }
    }

    /// Loads everything the manifest names, then swaps it in at once. On an error nothing changes.
    pub(crate) fn apply(&mut self, file: &ManifestFile) -> Result<(), Error> {
        let loaded = load_all(&self.engine, file)?;
        let mut functions = HashMap::new();
        for (name, function) in loaded {
            let Some(described) = file.manifest.functions.get(&name) else {
                continue;
            };
            let policy = settings::policy(&file.manifest, &name, described);
            let deployed = self.deploy(&name, policy, Arc::new(function));
            functions.insert(name, deployed);
        }
        let routes = routes(file, &functions)?;
        let mut router = Router::default();
        for (name, deployed) in &functions {
            router.insert(Target::Function(name.clone()), Arc::clone(&deployed.stack));
        }
        self.dispatcher.replace(router);
        self.routes.store(routes.into());
        self.functions = functions;
        self.engine.evict_cache();
        Ok(())
    }

    /// Keeps the stack of a function whose policy stays, so that its permits go on counting.
    fn deploy(
        &mut self,
        name: &FunctionName,
        policy: FunctionPolicy,
        function: Arc<dyn Invoke>,
    ) -> Deployed {
        match self.functions.remove(name) {
            Some(deployed) if deployed.policy == policy => {
                deployed.slot.replace(function);
                deployed
            }
            _ => {
                let slot = Slot::new(function);
                let stack = Arc::new(policy.stack(slot.clone(), &self.host));
                Deployed { slot, stack, policy }
            }
        }
    }
}

fn routes(
    file: &ManifestFile,
    functions: &HashMap<FunctionName, Deployed>,
) -> Result<RouteTable<Route>, Error> {
    let mut routes = Vec::new();
    for trigger in &file.manifest.triggers.http {
        let Target::Function(name) = &trigger.config.target else {
            continue;
        };
        let Some(deployed) = functions.get(name) else {
            continue;
        };
        let route = Route {
            pattern: trigger.config.route.as_str().into(),
            target: trigger.config.target.clone(),
            stack: Arc::clone(&deployed.stack),
        };
        routes.push((trigger.config.route(), route));
    }
    RouteTable::build(routes)
        .map_err(|conflicts| Error::Manifest(conflicts.iter().map(ToString::to_string).collect()))
}

type Loaded = BTreeMap<FunctionName, Function>;

/// Loads every function, several at once, off the runtimes' threads. All errors are reported.
pub(crate) fn load_all(engine: &Engine, file: &ManifestFile) -> Result<Loaded, Error> {
    let described: Vec<_> = file.manifest.functions.iter().collect();
    let bar = progress::compiling(described.len());
    let next = AtomicUsize::new(0);
    let loaded = Mutex::new(Loaded::new());
    let errors = Mutex::new(Vec::new());
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads =
        file.manifest.engine.compile_threads.map_or_else(cores, |threads| threads as usize);
    let work = || {
        while let Some((name, function)) = described.get(next.fetch_add(1, Ordering::Relaxed)) {
            bar.set_message(name.to_string());
            match load(engine, file, name, function) {
                Ok(function) => lock(&loaded).insert((*name).clone(), function).map_or((), drop),
                Err(error) => lock(&errors).push(error),
            }
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.min(described.len()) {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    let mut errors = errors.into_inner().unwrap_or_else(PoisonError::into_inner);
    if errors.is_empty() {
        return Ok(loaded.into_inner().unwrap_or_else(PoisonError::into_inner));
    }
    errors.sort();
    Err(Error::Functions(errors))
}

fn load(
    engine: &Engine,
    file: &ManifestFile,
    name: &FunctionName,
    function: &wfh_manifest::Function,
) -> Result<Function, String> {
    let path: PathBuf = file.resolve(&function.component);
    let key = format!("function.{name}.component");
    let config = settings::function(file, name, function).map_err(|error| error.to_string())?;
    let wasm = read_file(&path).map_err(|error| {
        let code = wfh_event::ErrorCode::FileUnreadable;
        format!("{code}: {}", file.error_at(&key, &format!("{}: {error}", path.display())))
    })?;
    engine.load(config, &wasm).map_err(|error: EngineError| {
        let message = format!("{}: {error}", path.display());
        format!("{}: {}", error.code(), file.error_at(&key, &message))
    })
}

/// A file's content. A pipe or a device might never end.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    std::fs::read(path)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
