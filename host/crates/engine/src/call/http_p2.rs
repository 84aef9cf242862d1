//! `wasi:http/incoming-handler@0.2`.

use std::sync::Arc;

use http::Request;
use http::uri::Scheme;
use http_body_util::BodyExt;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme as WasiScheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wfh_event::{Failure, FailureClass};
use wfh_invoke::Body;

use super::body::reply;
use super::request_error;
use crate::instance::trapped;
use crate::running::Call;
use crate::sandbox::Sandbox;

/// Calls the handler; the answer goes out through `call` as soon as the guest gives it.
pub(crate) async fn run(
    store: &mut wasmtime::Store<Sandbox>,
    proxy: &Proxy,
    request: Request<Body>,
    call: &Arc<Call>,
) -> Result<(), Failure> {
    let called = async {
        let scheme = match request.uri().scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => WasiScheme::Https,
            _ => WasiScheme::Http,
        };
        let request = request.map(|body| body.map_err(request_error).boxed_unsync());
        let mut http = store.data_mut().http();
        let request = http.new_incoming_request(scheme, request)?;
        let answering = Arc::clone(call);
        let out = http.new_response_outparam_from_callback(move |answer| {
            answer_with(&answering, answer);
        })?;
        proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, out).await
    };
    called.await.map_err(|error| trapped(store, &error))
}

fn answer_with(call: &Arc<Call>, answer: Result<http::Response<HyperOutgoingBody>, ErrorCode>) {
    call.reply(match answer {
        Ok(response) => Ok(reply(response, Arc::clone(call))),
        Err(code) => {
            Err(Failure::new(FailureClass::Trap, format!("the guest answered with {code:?}")))
        }
    });
}
