//! From the manifest's values to what each crate is told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use wfh_admin::{AdminConfig, Token};
use wfh_engine::{
    Capabilities, EngineConfig, FileGrant, FunctionConfig, InitMode, OutgoingConfig, PagemapScan,
    SystemResolver,
};
use wfh_event::FunctionName;
use wfh_invoke::{
    Bounds, BreakerPolicy, Destinations, DurablePolicy, FunctionPolicy, KeyPolicy, RetryPolicy,
    Takes, Version,
};
use wfh_manifest::{
    ByteSize, FailureDestination, Function, Jitter, Manifest, SecretSource, Switch,
};
use wfh_trigger_http::{HttpConfig, TlsFiles};

use crate::error::Error;
use crate::manifest_file::ManifestFile;
use crate::{environment, machine};

/// `[engine]` and `[outgoing]`. `ports_denied` is filled once the admin port is known.
pub(crate) fn engine(
    manifest: &Manifest,
    cache_dir: Option<PathBuf>,
    ports_denied: Arc<ArcSwap<Vec<u16>>>,
    capabilities: Capabilities,
) -> EngineConfig {
    let (engine, outgoing) = (&manifest.engine, &manifest.outgoing);
    let largest = manifest.functions.values().map(|function| function.memory.as_u64()).max();
    let tables = manifest.functions.values().map(|function| function.tables_max).max();
    let keep = keep_resident(engine.memory_keep_resident.as_u64(), engine.instances_max);
    EngineConfig {
        instances_max: engine.instances_max,
        memory_bytes_max: largest.unwrap_or(128 << 20),
        host_memory_bytes_max: machine::memory_bytes_max(manifest.limits.memory),
        memory_keep_resident_bytes: keep,
        table_keep_resident_bytes: engine.table_keep_resident.as_u64(),
        pagemap_scan: match engine.pagemap_scan {
            Switch::Auto => PagemapScan::Auto,
            Switch::On => PagemapScan::On,
            Switch::Off => PagemapScan::Off,
        },
        table_elements_max: tables.unwrap_or(20_000),
        init_timeout: engine.init_timeout,
        stack_bytes_max: engine.stack_bytes_max.as_u64(),
        cache_dir,
        cache_bytes_max: engine.cache_bytes_max.as_u64(),
        background_threads: workers(manifest),
        capabilities,
        outgoing: OutgoingConfig {
            connect_timeout: outgoing.connect_timeout,
            first_byte_timeout: outgoing.first_byte_timeout,
            between_bytes_timeout: outgoing.between_bytes_timeout,
            idle_connections_max: outgoing.idle_connections_max as usize,
            resolver: Arc::new(SystemResolver),
            ports_denied,
        },
    }
}

/// In a small container, memory that stays with every slot must not add up to more than a quarter
/// of it.
fn keep_resident(wanted: u64, instances_max: u32) -> u64 {
    const PAGE: u64 = 64 << 10;
    let Some(limit) = memory_limit() else {
        return wanted;
    };
    let fair = limit / 4 / u64::from(instances_max.max(1));
    wanted.min((fair / PAGE).max(1) * PAGE)
}

/// The container's memory limit, if there is one (cgroup v2).
fn memory_limit() -> Option<u64> {
    std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok()?.trim().parse().ok()
}

/// Threads that run functions.
pub(crate) fn workers(manifest: &Manifest) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    manifest.engine.workers.map_or_else(cores, |workers| workers as usize)
}

/// `[http]`.
pub(crate) fn http(file: &ManifestFile, listen: Option<SocketAddr>) -> HttpConfig {
    let http = &file.manifest.http;
    HttpConfig {
        listen: listen.unwrap_or(http.listen),
        tls: http
            .tls
            .as_ref()
            .map(|tls| TlsFiles { cert: file.resolve(&tls.cert), key: file.resolve(&tls.key) }),
        trusted_proxies: http.trusted_proxies.clone(),
        header_bytes_max: usize::try_from(http.header_bytes_max.as_u64()).unwrap_or(usize::MAX),
        headers_max: http.headers_max as usize,
        header_read_timeout: http.header_read_timeout,
        idle_timeout: http.idle_timeout,
        handshake_timeout: http.handshake_timeout,
        connections_max: machine::connections_max(http.connections_max as usize),
        requests_per_connection_max: u64::from(http.requests_per_connection_max),
        h2_streams_max: http.h2_streams_max,
        h2_resets_max: http.h2_resets_max as usize,
    }
}

/// What is done about what a function gets from the machine it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// Secrets are read, directories opened.
    Read,
    /// Neither: for whoever only compiles.
    Ignored,
}

/// What the engine is told of a function. Secrets are read here.
pub(crate) fn function(
    file: &ManifestFile,
    name: &FunctionName,
    function: &Function,
    from_machine: Secrets,
) -> Result<FunctionConfig, Error> {
    let is_read = from_machine == Secrets::Read;
    let mut config: Vec<(String, String)> =
        function.config.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    for (secret, source) in function.secrets.iter().filter(|_| is_read) {
        let key = format!("function.{name}.secret.{secret}");
        config.push((secret.to_string(), read_secret(file, &key, source)?));
    }
    let grant = |grant: &wfh_manifest::FileGrant| FileGrant {
        host: file.resolve(&grant.host),
        guest: grant.guest.clone(),
        write: grant.write,
    };
    Ok(FunctionConfig {
        memory_bytes_max: function.memory.as_u64(),
        table_elements_max: function.tables_max,
        reuse: function.reuse,
        reuse_concurrency: function.reuse_concurrency,
        log_bytes_max: function.log_bytes_max.as_u64(),
        handles_max: function.handles_max as usize,
        event_bytes_max: function.event_bytes_max.as_u64(),
        init: match function.init {
            wfh_manifest::InitMode::Strict => InitMode::Strict,
            wfh_manifest::InitMode::Lenient => InitMode::Lenient,
            wfh_manifest::InitMode::Off => InitMode::Off,
        },
        env: function.env.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        config,
        files: function.allow.files.iter().filter(|_| is_read).map(grant).collect(),
        http: function.allow.http.clone(),
        invoke: function.allow.invoke.clone(),
        send: function.allow.send.clone(),
        state: function.allow.state,
        outgoing_max: function.outgoing_max as usize,
        ..FunctionConfig::new(name.clone())
    })
}

/// What the layers are told of a function.
pub(crate) fn policy(
    manifest: &Manifest,
    name: &FunctionName,
    function: &Function,
    (takes, version): (Takes, String),
) -> FunctionPolicy {
    FunctionPolicy {
        name: name.clone(),
        timeout: function.timeout,
        concurrency: function.concurrency as usize,
        queue_timeout: function.queue_timeout,
        bounds: bounds(manifest, function.body_bytes_max),
        takes,
        breaker: function.breaker.as_ref().map(|breaker| BreakerPolicy {
            failure_rate: breaker.failure_rate,
            window: breaker.window,
            calls_min: breaker.calls_min,
            open_for: breaker.open_for,
        }),
        durable: durable(function, version),
    }
}

/// What every call keeps to.
pub(crate) fn bounds(manifest: &Manifest, body_bytes_max: Option<ByteSize>) -> Bounds {
    let body_bytes_max = body_bytes_max.unwrap_or(manifest.http.body_bytes_max);
    Bounds { body_bytes_max: body_bytes_max.as_u64(), hops_max: manifest.limits.hops_max }
}

/// `retry`, `idempotency` and `on`.
fn durable(function: &Function, version: String) -> DurablePolicy {
    let (retry, backoff) = (&function.retry, &function.retry.backoff);
    DurablePolicy {
        retry: RetryPolicy {
            attempts: retry.attempts,
            initial: backoff.initial,
            factor: backoff.factor,
            max: backoff.max,
            jitter: backoff.jitter == Jitter::Full,
            event_age_max: retry.event_age_max,
            sync: retry.sync,
        },
        key: function.idempotency.as_ref().map(|key| KeyPolicy {
            parts: key.key.0.clone(),
            required: key.required,
            ttl: key.ttl,
            bytes_max: key.bytes_max.as_u64(),
            body_timeout: function.timeout,
        }),
        destinations: Destinations {
            success: function.on.success.clone(),
            failure: match &function.on.failure {
                FailureDestination::DeadLetter => None,
                FailureDestination::Target(target) => Some(target.clone()),
            },
        },
        emits: !function.allow.send.is_empty(),
        version: Version::new(version),
    }
}

/// `[admin]`. An address that others can reach needs a token.
pub(crate) fn admin(file: &ManifestFile, listen: Option<SocketAddr>) -> Result<AdminConfig, Error> {
    let admin = &file.manifest.admin;
    let address = listen.unwrap_or(admin.listen);
    let token = match &admin.token {
        Some(source) => Some(Token::new(&read_secret(file, "admin.token", source)?)),
        None if address.ip().is_loopback() => None,
        None => {
            let message = format!(
                "{address} is not a loopback address; set admin.token = {{ env = \"...\" }} or listen \
                 on 127.0.0.1"
            );
            return Err(Error::AdminToken(file.error_at("admin.listen", &message)));
        }
    };
    Ok(AdminConfig {
        listen: address,
        token,
        hosts: admin.hosts.clone(),
        body_bytes_max: admin.body_bytes_max.as_u64(),
        connections_max: admin.connections_max as usize,
        requests_per_second_max: admin.requests_per_second_max,
    })
}

/// A secret's value. It is never printed, not even in an error.
pub(crate) fn read_secret(
    file: &ManifestFile,
    key: &str,
    source: &SecretSource,
) -> Result<String, Error> {
    let missing = |reason: String| Error::Secret(file.error_at(key, &reason));
    match source {
        SecretSource::Env(name) => environment::variable(name)
            .ok_or_else(|| missing(format!("the environment variable {name} is not set"))),
        SecretSource::File(path) => {
            let path = file.resolve(path);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| missing(format!("{}: {error}", path.display())))?;
            Ok(text.trim_end_matches(['\n', '\r']).to_owned())
        }
    }
}
