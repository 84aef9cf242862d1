//! A manifest made to run: functions loaded, stacks built, routes set; and replaced while serving.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use wfh_engine::Engine;
use wfh_event::{FunctionName, StreamName, Target};
use wfh_invoke::{
    Acceptor, Appending, ComponentFacts, Dispatcher, Durability, Figures, Forward, FunctionPolicy,
    FunctionState, FunctionStatus, HostLimit, Operator, RecordBudget, Router, Sink, Slot, Stacked,
    Status, Takes,
};
use wfh_manifest::{Manifest, Mode, RouteTable, Telemetry};
use wfh_trigger_http::{Route, RouteMode, Routes};

use crate::error::Error;
use crate::load::{Loaded, Loading, Source};
use crate::log;
use crate::manifest_file::ManifestFile;
use crate::outside;
use crate::progress::Compiling;
use crate::pulling::{self, Pulling};
use crate::settings::{self, Secrets};

/// How long a body may take that becomes an event for a queue or a topic.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

type Functions = HashMap<FunctionName, Deployed>;

/// Everything that calls can reach.
pub(crate) struct Deployment {
    engine: Arc<Engine>,
    host: HostLimit,
    records: Arc<RecordBudget>,
    status: Arc<Status>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) routes: Routes,
    durability: Option<Durability>,
    pulling: Option<Pulling>,
    /// What clients of outside servers run on.
    runtime: Handle,
    functions: Functions,
    /// What was applied last.
    manifest: Option<Manifest>,
}

/// What takes the events of each target that is no function.
type Sinks = Vec<(Target, Arc<dyn Sink>)>;

/// A function that serves.
struct Deployed {
    slot: Slot,
    stacked: Stacked,
    policy: FunctionPolicy,
    source: Source,
    figures: Arc<Figures>,
    facts: ComponentFacts,
    made: Made,
}

/// What a loaded function says of itself.
type Made = (Takes, String);

impl Deployment {
    /// A deployment of nothing yet: what it deploys is called through `dispatcher` and shows in
    /// `status`. It MUST be made inside a runtime.
    pub(crate) fn new(
        engine: Arc<Engine>,
        manifest: &Manifest,
        dispatcher: Dispatcher,
        status: Arc<Status>,
        durability: Option<Durability>,
    ) -> Self {
        engine.set_dispatcher(dispatcher.downgrade());
        let records = manifest.telemetry.invocation_records_per_second_max;
        Self {
            engine,
            host: HostLimit::new(manifest.limits.invocations_max as usize),
            records: Arc::new(RecordBudget::new(records)),
            status,
            dispatcher,
            routes: Routes::new(ArcSwap::from_pointee(RouteTable::default())),
            durability,
            pulling: None,
            runtime: Handle::current(),
            functions: HashMap::new(),
            manifest: None,
        }
    }

    /// Loads what changed since the last time, then swaps it in at once. On an error nothing
    /// changes. Says whether anything did.
    pub(crate) fn apply(&mut self, file: &ManifestFile) -> Result<bool, Error> {
        let loaded = self.load(file)?;
        let is_new = loaded.iter().any(|loaded| loaded.function.is_some());
        if !is_new && self.manifest.as_ref() == Some(&file.manifest) {
            self.show(&file.manifest);
            return Ok(false);
        }
        // Before anything changes.
        if let Some(error) = outside::check(file).into_iter().next() {
            return Err(error);
        }
        let (sinks, places) = (self.sinks(file)?, pulling::places(&file.manifest)?);
        let wanted = self.pulling.as_ref().map(|pulling| pulling.wanted(file)).transpose()?;
        let mut functions = HashMap::new();
        for loaded in loaded {
            let Some(described) = file.manifest.functions.get(&loaded.name) else {
                continue;
            };
            let name = loaded.name.clone();
            let policy = |made| settings::policy(&file.manifest, &name, described, made);
            if let Some(deployed) = self.deploy(loaded, policy) {
                functions.insert(name, deployed);
            }
        }
        let routes = self.routes_of(file, &functions)?;
        if let Some(durability) = &self.durability {
            durability.targets.replace(places);
        }
        self.dispatcher.replace(self.router(file, &functions, sinks));
        if let (Some(pulling), Some(wanted)) = (&mut self.pulling, wanted) {
            pulling.apply(wanted)?;
        }
        self.routes.store(routes.into());
        self.functions = functions;
        self.show(&file.manifest);
        self.note_versions();
        self.manifest = Some(file.manifest.clone());
        self.engine.evict_cache();
        Ok(true)
    }

    /// Writes down which versions run now, if they are others than before.
    fn note_versions(&self) {
        let Some(durability) = self.durability.clone() else { return };
        let version =
            |(name, deployed): (&FunctionName, &Deployed)| (name.clone(), deployed.made.1.clone());
        let running: Vec<_> = self.functions.iter().map(version).collect();
        self.runtime.spawn(async move {
            if let Err(error) = Operator::new(durability).deployed(&running).await {
                tracing::warn!(%error, "the audit log does not have this deployment");
            }
        });
    }

    /// Lets `pulling` take work to what is deployed of `file`, now and after each change.
    pub(crate) fn pull(&mut self, file: &ManifestFile, mut pulling: Pulling) -> Result<(), Error> {
        pulling.apply(pulling.wanted(file)?)?;
        self.pulling = Some(pulling);
        Ok(())
    }

    fn load(&self, file: &ManifestFile) -> Result<Vec<Loaded>, Error> {
        let progress = Compiling::bar(file.manifest.functions.len());
        let loading = Loading { engine: &self.engine, file, secrets: Secrets::Read, progress };
        loading.all(&|name, source| {
            self.functions.get(name).is_some_and(|deployed| deployed.source == *source)
        })
    }

    /// Shows what runs.
    fn show(&self, manifest: &Manifest) {
        let status = |(name, deployed): (&FunctionName, &Deployed)| {
            let described = manifest.functions.get(name)?;
            Some(FunctionStatus {
                name: name.clone(),
                state: FunctionState::Ready,
                component: deployed.facts.clone(),
                policy: deployed.policy.clone(),
                memory_bytes_max: described.memory.as_u64(),
                reuse: described.reuse,
                figures: Arc::clone(&deployed.figures),
                breaker: deployed.stacked.breaker.clone(),
            })
        };
        self.status.set_functions(self.functions.iter().filter_map(status).collect());
    }

    /// Applies a manifest that was read again. What cannot be deployed is logged, and the old version
    /// goes on serving.
    pub(crate) fn change(&mut self, read: Result<&ManifestFile, &Error>) {
        let applied = match read {
            Ok(file) => {
                let later = self.manifest.as_ref().map(|now| needs_restart(now, &file.manifest));
                self.apply(file).inspect(|_| {
                    log::set_level(&file.manifest.telemetry.log_level);
                    if let Some(tables) = later.filter(|tables| !tables.is_empty()) {
                        let tables = tables.join(", ");
                        tracing::warn!(tables, "these tables take effect at the next start");
                    }
                })
            }
            Err(error) => return self.refuse(error),
        };
        match applied {
            Ok(true) => tracing::info!("change deployed"),
            Ok(false) => {}
            Err(error) => self.refuse(&error),
        }
    }

    fn refuse(&self, error: &Error) {
        self.status.change_refused(&error.to_string());
        tracing::error!(%error, "change refused, the old version goes on serving");
    }

    /// Keeps the stack of a function whose policy stays, so that its permits go on counting.
    fn deploy(
        &mut self,
        loaded: Loaded,
        policy: impl FnOnce(Made) -> FunctionPolicy,
    ) -> Option<Deployed> {
        let Loaded { name, source, function } = loaded;
        let before = self.functions.remove(&name);
        let (made, facts) = match (&before, &function) {
            (_, Some(function)) => {
                let made = (function.takes(), function.version().to_owned());
                (made, function.facts().clone())
            }
            (Some(deployed), None) => (deployed.made.clone(), deployed.facts.clone()),
            (None, None) => return None,
        };
        let mut policy = policy(made.clone());
        let slot = match (&before, function) {
            (None, None) => return None,
            (None, Some(function)) => Slot::new(Arc::new(function)),
            (Some(deployed), None) => deployed.slot.clone(),
            // One that takes something else now has a slot of its own: calls of the other kind may
            // still be under way.
            (Some(deployed), Some(function)) if deployed.made.0 != made.0 => {
                Slot::new(Arc::new(function))
            }
            (Some(deployed), Some(function)) => {
                deployed.slot.replace(Arc::new(function));
                deployed.slot.clone()
            }
        };
        let new = || Arc::new(Figures::new(Arc::clone(&self.records)));
        let figures = before.as_ref().map_or_else(new, |before| Arc::clone(&before.figures));
        let stacked = match before {
            Some(deployed) if deployed.policy == policy => {
                policy = deployed.policy;
                policy.durable.version.replace(made.1.clone());
                deployed.stacked
            }
            _ => {
                let durability = self.durability.as_ref();
                policy.stack(slot.clone(), &self.host, durability, Arc::clone(&figures))
            }
        };
        Some(Deployed { slot, stacked, policy, source, made, figures, facts })
    }

    /// What takes events for each target that is no function.
    fn sinks(&self, file: &ManifestFile) -> Result<Sinks, Error> {
        let Some(durability) = &self.durability else { return Ok(Vec::new()) };
        let queues = file.manifest.queues.keys().cloned().map(Target::Queue);
        let topics = file.manifest.topics.keys().cloned().map(Target::Topic);
        let appending = |target: Target| {
            let sink = Appending::new(target.clone(), Arc::clone(&durability.targets));
            Ok((target, Arc::new(sink) as Arc<dyn Sink>))
        };
        // Clients of servers outside need a runtime.
        let _entered = self.runtime.enter();
        let outside =
            |name| Ok((Target::Stream(StreamName::clone(name)), outside::sink(file, name)?));
        let streams = file.manifest.streams.keys().map(outside);
        queues.chain(topics).map(appending).chain(streams).collect()
    }

    fn router(&self, file: &ManifestFile, functions: &Functions, sinks: Sinks) -> Router {
        let mut router = Router::default();
        for (name, deployed) in functions {
            router.insert(Target::Function(name.clone()), deployed.stacked.clone());
        }
        let Some(durability) = &self.durability else { return router };
        let hops_max = file.manifest.limits.hops_max;
        for (target, sink) in sinks {
            let forward = Forward::new(target.clone(), hops_max, durability.clone(), sink);
            router.insert(target, Stacked::of(Arc::new(forward)));
        }
        router
    }

    fn routes_of(
        &self,
        file: &ManifestFile,
        functions: &Functions,
    ) -> Result<RouteTable<Route>, Error> {
        let mut routes = Vec::new();
        for trigger in &file.manifest.triggers.http {
            let target = trigger.config.target.clone();
            let Some(mode) = self.route_mode(file, functions, trigger.config.mode, &target) else {
                continue;
            };
            let pattern = trigger.config.route.as_str().into();
            routes.push((trigger.config.route(), Route { pattern, target, mode }));
        }
        RouteTable::build(routes).map_err(|conflicts| {
            Error::Manifest(conflicts.iter().map(ToString::to_string).collect())
        })
    }

    /// `None`: nothing takes the route; the manifest was checked for that.
    fn route_mode(
        &self,
        file: &ManifestFile,
        functions: &Functions,
        mode: Mode,
        target: &Target,
    ) -> Option<RouteMode> {
        let stacked = match target {
            Target::Function(name) => functions.get(name).map(|found| &found.stacked),
            Target::Queue(_) | Target::Topic(_) | Target::Stream(_) => None,
        };
        let acceptor = match stacked {
            Some(stacked) => stacked.acceptor.clone(),
            None => self.acceptor(file, target),
        };
        let invoke = stacked.map(|stacked| Arc::clone(&stacked.invoke));
        Some(match (mode, invoke, acceptor) {
            (Mode::Sync, Some(invoke), _) => RouteMode::Sync(invoke),
            (Mode::Either, Some(invoke), Some(acceptor)) => RouteMode::Either(invoke, acceptor),
            (Mode::Async | Mode::Either, _, Some(acceptor)) => RouteMode::Async(acceptor),
            _ => return None,
        })
    }

    /// Accepts events for a target that is no function.
    fn acceptor(&self, file: &ManifestFile, target: &Target) -> Option<Arc<Acceptor>> {
        let durability = self.durability.clone()?;
        let bounds = settings::bounds(&file.manifest, None);
        Some(Arc::new(Acceptor::new(target.clone(), bounds, BODY_TIMEOUT, None, durability)))
    }
}

/// The tables that differ and are read at the start only.
fn needs_restart(now: &Manifest, new: &Manifest) -> Vec<&'static str> {
    let level = now.telemetry.log_level.clone();
    let telemetry = Telemetry { log_level: level, ..new.telemetry.clone() };
    let differ = [
        ("[http]", now.http != new.http),
        ("[admin]", now.admin != new.admin),
        ("[engine]", now.engine != new.engine),
        ("[outgoing]", now.outgoing != new.outgoing),
        ("[limits]", now.limits != new.limits),
        ("[serve]", now.serve != new.serve),
        ("[store]", now.store != new.store),
        ("[telemetry]", now.telemetry != telemetry),
    ];
    differ.into_iter().filter(|(_, differs)| *differs).map(|(table, _)| table).collect()
}
