//! A function alone in this process, behind the same API and the same layers as in a host.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use wfh_admin::{AdminConfig, Api, Sources};
use wfh_engine::Engine;
use wfh_event::FunctionName;
use wfh_invoke::{Body, Dispatcher, Router, Status};

use crate::deploy::Deployment;
use crate::error::Error;
use crate::manifest_file::ManifestFile;
use crate::{log, serve, settings, store};

/// The function, loaded.
pub(crate) struct Local {
    pub(crate) runtime: Runtime,
    api: Api,
    _deployment: Deployment,
}

impl Local {
    /// Loads a function of a manifest, or a component.
    pub(crate) fn load(manifest: Option<&Path>, function: &FunctionName) -> Result<Self, Error> {
        let path = manifest.unwrap_or(Path::new("wfh.toml"));
        let file = alone(ManifestFile::read(path)?, function)?;
        log::start(false, &file.manifest.telemetry.log_level, None, None);
        log::release();
        serve::install_tls_provider();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let status = Arc::new(Status::default());
        let dispatcher = Dispatcher::new(Router::default());
        // The port of a host of this manifest stays closed to its functions.
        let ports_denied = Arc::new(ArcSwap::from_pointee(vec![file.manifest.admin.listen.port()]));
        let cache = file.data_dir(None).join("cache");
        // What it keeps and sends ends with this process.
        let durability = store::in_memory(&file.manifest);
        let capabilities = store::capabilities(Some(&durability));
        let config = settings::engine(&file.manifest, Some(cache), ports_denied, capabilities);
        let engine = Arc::new(Engine::new(config)?);
        let (shown, called) = (Arc::clone(&status), dispatcher.clone());
        let entered = runtime.enter();
        let mut deployment =
            Deployment::new(engine, &file.manifest, called, shown, Some(durability));
        deployment.apply(&file)?;
        drop(entered);
        let sources = Sources::new(status, dispatcher);
        let api = Api::new(unbounded(&file), sources, CancellationToken::new());
        Ok(Self { runtime, api, _deployment: deployment })
    }

    /// A handle for tasks that call.
    pub(crate) fn api(&self) -> Api {
        self.api.clone()
    }

    /// Answers a request as the admin port of a host would.
    pub(crate) async fn call(&self, request: Request<Full<Bytes>>) -> Response<Body> {
        self.api.call(in_process(request)).await
    }
}

/// A request whose body never fails.
pub(crate) fn in_process(request: Request<Full<Bytes>>) -> Request<Body> {
    request.map(|body| body.map_err(|never| match never {}).boxed_unsync())
}

/// The manifest with this function only.
fn alone(mut file: ManifestFile, name: &FunctionName) -> Result<ManifestFile, Error> {
    if !file.manifest.functions.contains_key(name) {
        let known: Vec<&str> = file.manifest.functions.keys().map(FunctionName::as_str).collect();
        let known = known.join(", ");
        return Err(Error::Refused(format!("there is no function {name}; there are: {known}")));
    }
    file.manifest.functions.retain(|other, _| other == name);
    file.manifest.triggers.http.clear();
    Ok(file)
}

/// The caller is this process.
fn unbounded(file: &ManifestFile) -> AdminConfig {
    AdminConfig {
        listen: file.manifest.admin.listen,
        token: None,
        hosts: Vec::new(),
        body_bytes_max: u64::MAX,
        connections_max: 1,
        requests_per_second_max: u32::MAX,
    }
}
