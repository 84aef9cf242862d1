//! `wasi:http/handler@0.3`.

use std::future::{pending, poll_fn};
use std::sync::Arc;

use futures_channel::oneshot;
use http::Request;
use http_body_util::BodyExt;
use wasmtime::AsContextMut;
use wasmtime_wasi_http::handler::{Prepared, Proxy};
use wasmtime_wasi_http::{WasiBody, WasiHttpView};
use wfh_event::Failure;
use wfh_invoke::Body;

use super::body::reply;
use super::request_error;
use crate::instance::trapped;
use crate::running::Call;
use crate::sandbox::Sandbox;

/// Calls the handler and lets the sandbox run until nothing in it is left to do: the answer's body
/// is written by tasks that outlive the call.
pub(crate) async fn run(
    store: &mut wasmtime::Store<Sandbox>,
    proxy: &Proxy,
    request: Request<Body>,
    call: &Arc<Call>,
) -> Result<(), Failure> {
    let request = request.map(|body| body.map_err(request_error).boxed_unsync());
    let called = store
        .run_concurrent(async |accessor| {
            let (sender, receiver) = oneshot::channel();
            let prepared = accessor.with(|mut store| {
                Prepared::new(store.as_context_mut(), proxy, request, Sandbox::http, sender)
            })?;
            let answered = async {
                let ran = prepared.run(accessor, pending()).await;
                ran.map(|_| ())
            };
            let (ran, ()) = tokio::join!(answered, answer_from(receiver, call));
            ran?;
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            wasmtime::Result::Ok(())
        })
        .await;
    called.and_then(|result| result).map_err(|error| trapped(store, &error))
}

/// Passes the answer on. A guest that failed is answered for when its call ends.
async fn answer_from(
    receiver: oneshot::Receiver<wasmtime::Result<http::Response<WasiBody>>>,
    call: &Arc<Call>,
) {
    match receiver.await {
        Ok(Ok(response)) => call.reply(Ok(reply(response, Arc::clone(call)))),
        Ok(Err(error)) => tracing::debug!(%error, "the guest gave no response"),
        Err(oneshot::Canceled) => {}
    }
}
