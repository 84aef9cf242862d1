//! A manifest made to run: functions loaded, stacks built, routes set; and replaced while serving.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use wfh_engine::Engine;
use wfh_event::{FunctionName, Target};
use wfh_invoke::{
    ComponentFacts, Dispatcher, Figures, FunctionPolicy, FunctionState, FunctionStatus, HostLimit,
    Invoke, RecordBudget, Router, Slot, Status,
};
use wfh_manifest::{Manifest, RouteTable};
use wfh_trigger_http::{Route, Routes};

use crate::error::Error;
use crate::load::{Loaded, Loading, Source};
use crate::manifest_file::ManifestFile;
use crate::progress::Compiling;
use crate::settings::{self, Secrets};

/// Everything that calls can reach.
pub(crate) struct Deployment {
    engine: Arc<Engine>,
    host: HostLimit,
    records: Arc<RecordBudget>,
    status: Arc<Status>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) routes: Routes,
    functions: HashMap<FunctionName, Deployed>,
    /// What was applied last.
    manifest: Option<Manifest>,
}

/// A function that serves.
struct Deployed {
    slot: Slot,
    stack: Arc<dyn Invoke>,
    policy: FunctionPolicy,
    source: Source,
    figures: Arc<Figures>,
    facts: ComponentFacts,
}

impl Deployment {
    /// A deployment of nothing yet: what it deploys is called through `dispatcher` and shows in
    /// `status`.
    pub(crate) fn new(
        engine: Arc<Engine>,
        manifest: &Manifest,
        dispatcher: Dispatcher,
        status: Arc<Status>,
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
        let mut functions = HashMap::new();
        for loaded in loaded {
            let Some(described) = file.manifest.functions.get(&loaded.name) else {
                continue;
            };
            let policy = settings::policy(&file.manifest, &loaded.name, described);
            let name = loaded.name.clone();
            if let Some(deployed) = self.deploy(loaded, policy) {
                functions.insert(name, deployed);
            }
        }
        let routes = routes(file, &functions)?;
        let mut router = Router::default();
        for (name, deployed) in &functions {
            router.insert(Target::Function(name.clone()), Arc::clone(&deployed.stack));
        }
        self.dispatcher.replace(router);
        self.routes.store(routes.into());
        self.functions = functions;
        self.show(&file.manifest);
        self.manifest = Some(file.manifest.clone());
        self.engine.evict_cache();
        Ok(true)
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
            })
        };
        self.status.set_functions(self.functions.iter().filter_map(status).collect());
    }

    /// Shows that a change was refused.
    pub(crate) fn refused(&self, error: &Error) {
        self.status.change_refused(&error.to_string());
    }

    /// Keeps the stack of a function whose policy stays, so that its permits go on counting.
    fn deploy(&mut self, loaded: Loaded, policy: FunctionPolicy) -> Option<Deployed> {
        let Loaded { name, source, function } = loaded;
        let before = self.functions.remove(&name);
        let facts = match (&before, &function) {
            (_, Some(function)) => function.facts().clone(),
            (Some(deployed), None) => deployed.facts.clone(),
            (None, None) => return None,
        };
        let slot = match (&before, function) {
            (None, None) => return None,
            (None, Some(function)) => Slot::new(Arc::new(function)),
            (Some(deployed), None) => deployed.slot.clone(),
            (Some(deployed), Some(function)) => {
                deployed.slot.replace(Arc::new(function));
                deployed.slot.clone()
            }
        };
        let new = || Arc::new(Figures::new(Arc::clone(&self.records)));
        let figures = before.as_ref().map_or_else(new, |before| Arc::clone(&before.figures));
        let stack = match before {
            Some(deployed) if deployed.policy == policy => deployed.stack,
            _ => Arc::new(policy.stack(slot.clone(), &self.host, Arc::clone(&figures))),
        };
        Some(Deployed { slot, stack, policy, source, figures, facts })
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
