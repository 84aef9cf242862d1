//! `wfh serve`: binds, loads, says so, serves, drains.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wfh_admin::{Admin, AdminConfig, Api, LogSource, Sources};
use wfh_engine::Engine;
use wfh_invoke::{Dispatcher, Durability, Operator, Router, Shutdown, Status};
use wfh_manifest::{LogFormat, Manifest};
use wfh_trigger_http::HttpTrigger;

use crate::build::{Audience, Builder};
use crate::deploy::Deployment;
use crate::error::Error;
use crate::gauges::Gauges;
use crate::manifest_file::ManifestFile;
use crate::pulling::Pulling;
use crate::runtime::Workers;
use crate::telemetry::Telemetry;
use crate::verb::serve::Serve;
use crate::watch::Watcher;
use crate::{environment, gauges, log, machine, replica, ring, settings, store};

/// How often sandboxes are looked at that wait for their next call.
const IDLE_INTERVAL: Duration = Duration::from_secs(10);

/// Serves until a signal, and drains.
pub(crate) fn serve(options: &Serve) -> Result<(), Error> {
    let file = ManifestFile::read(&options.path)?;
    install_tls_provider();
    let main = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let telemetry = {
        let _entered = main.enter();
        Telemetry::start(&file, &file.data_dir(options.data_dir.as_deref()))?
    };
    let logs = start_log(&file, &file.data_dir(options.data_dir.as_deref()), &telemetry);
    if let Some((point, times)) = environment::crash_point() {
        wfh_store::crash::arm(&point, times);
    }
    machine::raise_limit();
    let workers =
        Workers::start(file.manifest.engine.scheduler, settings::workers(&file.manifest))?;
    let served = main.block_on(async {
        let mut stop = StopSignals::new()?;
        let served = run(options, file, &workers, logs, &telemetry, &mut stop).await;
        telemetry.stop(stop.next()).await;
        served
    });
    workers.stop();
    log::flush();
    served
}

/// Gives what the admin API reads the log from. Without a place to keep it, the host serves all the
/// same.
fn start_log(
    file: &ManifestFile,
    data_dir: &Path,
    telemetry: &Telemetry,
) -> Option<Arc<dyn LogSource>> {
    let export = telemetry.otel.log_layer();
    let described = &file.manifest.telemetry;
    let (json, level) = (is_json(&file.manifest), &described.log_level);
    let bytes_max = described.log_ring_bytes_max.as_u64();
    if bytes_max == 0 {
        log::start(json, level, None, export);
        return None;
    }
    let directory = ring::directory(data_dir);
    match ring::Writer::open(&directory, bytes_max) {
        Ok(writer) => {
            log::start(json, level, Some(writer), export);
            Some(Arc::new(ring::Source(directory)))
        }
        Err(error) => {
            log::start(json, level, None, export);
            tracing::warn!(directory = %directory.display(), %error, "the log is not kept");
            None
        }
    }
}

fn is_json(manifest: &Manifest) -> bool {
    match manifest.telemetry.log_format {
        Some(LogFormat::Json) => true,
        Some(LogFormat::Human) => false,
        None => !std::io::stderr().is_terminal(),
    }
}

/// One provider for every part that speaks TLS.
pub(crate) fn install_tls_provider() {
    // An error says that one is installed already, which is what we want.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

async fn run(
    options: &Serve,
    file: ManifestFile,
    workers: &Workers,
    logs: Option<Arc<dyn LogSource>>,
    telemetry: &Telemetry,
    stop: &mut StopSignals,
) -> Result<(), Error> {
    let status = Arc::new(Status::default());
    status.wait_for("functions", "compiling");
    let stopped = CancellationToken::new();
    let dispatcher = Dispatcher::new(Router::default());
    let data_dir = file.data_dir(options.data_dir.as_deref());
    // A bare component has nothing to keep, and its directory is not ours to write a store to.
    let durability = match file.is_bare() {
        true => None,
        false => Some(store::open(&file.manifest, &data_dir).await?),
    };
    let operator = durability.clone().map(Operator::new);
    let (otel, recent) = (telemetry.otel.clone(), telemetry.recent.clone());
    let gauges = Gauges::register(otel, Arc::clone(&status), operator.clone());
    tokio::spawn(gauges.clone().run());
    let sources = Sources {
        status: Arc::clone(&status),
        dispatcher: dispatcher.clone(),
        operator,
        logs,
        metrics: Some(Arc::new(gauges)),
        recent,
        workers: workers.handles(),
    };
    let config = settings::admin(&file, options.admin)?;
    let admin = bind_admin(&config).await?;
    let admin_address = admin.local_addr()?;
    let api = Api::new(config, sources, stopped.clone());
    let answering = tokio::spawn(admin.run(api, stopped.clone()));

    let ports_denied = Arc::new(ArcSwap::from_pointee(vec![admin_address.port()]));
    let cache_dir = data_dir.join("cache");
    let capabilities = store::capabilities(durability.as_ref());
    let config = settings::engine(&file.manifest, Some(cache_dir), ports_denied, capabilities);
    // Before anything is built or read, so that no change goes unseen.
    let watcher = match options.watch {
        true => Some(Watcher::new(&options.path, &file, &data_dir)?),
        false => None,
    };
    let (builder, replica_dir) = (Arc::new(Builder::new(data_dir.clone())), data_dir);
    let (first_build, watch) = (Arc::clone(&builder), options.watch);
    let (shown, lent) = (Arc::clone(&status), durability.clone());
    let loading = tokio::task::spawn_blocking(move || {
        let failed = if watch { build_first(&first_build, &file)? } else { None };
        let engine = Arc::new(Engine::new(config)?);
        let mut deployment =
            Deployment::new(Arc::clone(&engine), &file.manifest, dispatcher, shown, lent);
        deployment.apply(&file)?;
        Ok::<_, Error>((engine, deployment, file, failed))
    });
    let (engine, mut deployment, file, failed) = tokio::select! {
        loaded = loading => loaded.map_err(std::io::Error::other)??,
        () = stop.next() => {
            builder.stop();
            std::process::exit(0)
        }
    };

    gauges::of_engine(&engine);
    let shutdown = Shutdown::default();
    let http = bind_http(options, &file, &deployment)?;
    let pulling = TaskTracker::new();
    if let Some(durability) = durability.clone() {
        let (dispatcher, workers) = (deployment.dispatcher.clone(), workers.handles());
        let ending = (shutdown.clone(), pulling.clone());
        let (status, replica) = (Arc::clone(&status), replica::name(&replica_dir)?);
        let pulling = Pulling::new(durability, dispatcher, status, replica, workers, ending);
        deployment.pull(&file, pulling)?;
    }
    announce(http.as_ref(), admin_address, &file)?;
    if let Some(error) = failed {
        builder.show_log();
        tracing::error!(%error, "build failed, the version built before serves");
    }
    status.is_ready("functions");
    // Calls between functions go through the deployment as long as the host serves.
    let hangup = signal(SignalKind::hangup())?;
    match watcher {
        Some(watcher) => {
            let nudge = watcher.nudge();
            watcher.run(deployment, Arc::clone(&builder))?;
            tokio::spawn(nudge_at(hangup, nudge));
        }
        None => drop(tokio::spawn(reload_at(hangup, deployment, options.path.clone()))),
    }
    tokio::spawn(drop_idle(Arc::clone(&engine)));

    let bounds = (file.manifest.serve.drain_delay, file.manifest.serve.shutdown_timeout);
    let serving = async {
        match http {
            Some(http) => http.run(workers.handles(), shutdown.clone()).await,
            None => {
                shutdown.drain.cancelled().await;
                Ok(())
            }
        }
    };
    // All of it ends under the drain's bound and its second signal.
    let mut serving = std::pin::pin!(async {
        let served = serving.await;
        finish(&shutdown, &pulling, durability).await;
        served
    });
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = drain(stop, &status, &shutdown, &builder, bounds) => serving.await,
    };
    // Waits for the end of a build.
    builder.stop();
    stopped.cancel();
    tokio::select! {
        _ = tokio::time::timeout(bounds.1, answering) => {}
        () = stop.next() => {}
    }
    served.map_err(Error::from)
}

/// Waits for what runs out of queues, and for calls that outlive their callers; both end when the
/// host cancels what is in flight.
async fn finish(shutdown: &Shutdown, pulling: &TaskTracker, durability: Option<Durability>) {
    pulling.close();
    pulling.wait().await;
    if let Some(durability) = durability {
        durability.tasks.close();
        let ended = durability.tasks.wait();
        let _ = shutdown.cancel.run_until_cancelled(ended).await;
    }
}

/// What `--watch` begins with. An older component serves until the build succeeds, and the failure
/// is told later; without one there is nothing to serve.
fn build_first(builder: &Builder, file: &ManifestFile) -> Result<Option<Error>, Error> {
    let audience = match std::io::stderr().is_terminal() {
        true => Audience::Caller,
        false => Audience::Script,
    };
    let Err(error) = builder.run(file, audience) else { return Ok(None) };
    let mut functions = file.manifest.functions.values();
    if functions.all(|function| file.resolve(&function.component).is_file()) {
        return Ok(Some(error));
    }
    builder.show_log();
    Err(error)
}

async fn bind_admin(config: &AdminConfig) -> Result<Admin, Error> {
    let address = config.listen;
    let bound = Admin::bind(address, config.connections_max).await;
    bound.map_err(|source| Error::AdminBind { address, source })
}

fn bind_http(
    options: &Serve,
    file: &ManifestFile,
    deployment: &Deployment,
) -> Result<Option<HttpTrigger>, Error> {
    if file.manifest.triggers.http.is_empty() {
        return Ok(None);
    }
    let config = settings::http(file, options.listen);
    let routes = Arc::clone(&deployment.routes);
    Ok(Some(HttpTrigger::bind(config, routes)?))
}

/// The lines that scripts wait for, then whatever was held back.
fn announce(
    http: Option<&HttpTrigger>,
    admin: SocketAddr,
    file: &ManifestFile,
) -> Result<(), Error> {
    let mut said = String::new();
    match http {
        Some(http) => {
            let scheme = if http.is_tls() { "https" } else { "http" };
            said += &format!("Serving HTTP on {scheme}://{}/\n", http.local_addr()?);
        }
        None => said += &format!("Serving {} triggers\n", file.manifest.triggers.count()),
    }
    said += &format!("Admin on http://{admin}\n");
    for warning in &file.warnings {
        said += &format!("warning: {warning}\n");
    }
    // A host whose standard error is closed serves all the same.
    let _ = std::io::stderr().write_all(said.as_bytes());
    log::release();
    Ok(())
}

/// Reads the manifest again at each signal.
async fn reload_at(mut hangup: Signal, mut deployment: Deployment, path: PathBuf) {
    while hangup.recv().await.is_some() {
        let path = path.clone();
        let reloading = tokio::task::spawn_blocking(move || {
            let read = ManifestFile::read(&path);
            deployment.change(read.as_ref());
            deployment
        });
        match reloading.await {
            Ok(back) => deployment = back,
            Err(error) => return tracing::error!(%error, "the manifest is not read again any more"),
        }
    }
}

/// Whoever watches files looks at each signal as well.
async fn nudge_at(mut hangup: Signal, nudge: SyncSender<()>) {
    while hangup.recv().await.is_some() {
        // A full channel says the same already.
        let _ = nudge.try_send(());
    }
}

async fn drop_idle(engine: Arc<Engine>) {
    loop {
        tokio::time::sleep(IDLE_INTERVAL).await;
        engine.drop_idle();
    }
}

/// SIGINT and SIGTERM.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn new() -> Result<Self, Error> {
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The first signal drains, in the documented order; a second one stops at once.
async fn drain(
    stop: &mut StopSignals,
    status: &Status,
    shutdown: &Shutdown,
    builder: &Arc<Builder>,
    (drain_delay, shutdown_timeout): (Duration, Duration),
) {
    stop.next().await;
    tracing::info!("draining");
    status.wait_for("host", "draining");
    let building = Arc::clone(builder);
    tokio::task::spawn_blocking(move || building.stop());
    let ordered = async {
        tokio::time::sleep(drain_delay).await;
        status.stop_taking();
        shutdown.drain.cancel();
        tokio::time::sleep(shutdown_timeout).await;
        tracing::warn!("shutdown_timeout is over, calls in flight are cancelled");
        shutdown.cancel.cancel();
    };
    tokio::select! {
        () = ordered => {}
        () = stop.next() => {
            tracing::warn!("second signal, stopped at once");
            log::flush();
            std::process::exit(1);
        }
    }
}
