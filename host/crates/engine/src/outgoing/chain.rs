//! `http://NAME.wfh.internal/`: another function of this host, called in-process.

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, WasiBody};
use wfh_event::{Failure, FailureClass, FunctionName, Target};
use wfh_invoke::{
    HttpInput, Input, Invocation, Invoke as _, Outcome, Reply, ReplyBody, bytes_body,
    new_invocation_id, response_from_reply,
};
use wfh_telemetry::TraceContext;

use crate::function::Shared;
use crate::sandbox::CallInfo;

/// Calls `name` with its own limits, one hop further and within the caller's deadline.
pub(super) async fn call(
    function: &Shared,
    caller: &CallInfo,
    name: FunctionName,
    trace: TraceContext,
    mut request: Request<WasiBody>,
) -> Result<Response<WasiBody>, Error> {
    // What the other guest reads is its own position.
    trace.write_to(request.headers_mut());
    let dispatcher = function.environment.dispatcher.get().and_then(|weak| weak.upgrade());
    let dispatcher = dispatcher.ok_or(Error::DestinationUnavailable)?;
    let request = request.map(|body| body.map_err(broken_body).boxed_unsync());
    let invocation = Invocation {
        id: new_invocation_id(),
        target: Target::Function(name),
        deadline: caller.deadline,
        hops: caller.hops.saturating_add(1),
        attempts_max: 1,
        trace,
        phases: None,
        input: Input::Http(Box::new(HttpInput { request, route: "/{*rest}".into() })),
    };
    let outcome = dispatcher.invoke(invocation).await.into_iter().next();
    match outcome {
        Some(Outcome::Done(Reply::Http(response, tail))) => Ok(response.map(|body| {
            ReplyBody::new(body, tail).map_err(|failure| as_error(&failure)).boxed_unsync()
        })),
        Some(Outcome::Failed(failure)) => from_failure(&failure),
        Some(Outcome::Done(Reply::Event(reply))) => Ok(response_from_reply(reply)
            .map(|body| body.map_err(|failure| as_error(&failure)).boxed_unsync())),
        Some(Outcome::Deferred { .. }) | None => Err(Error::HttpProtocolError),
    }
}

fn broken_body(error: Error) -> Failure {
    Failure::new(FailureClass::Invalid, format!("the caller broke off its body: {error}"))
}

/// What the other guest answered is an answer; what kept it from answering is an error.
fn from_failure(failure: &Failure) -> Result<Response<WasiBody>, Error> {
    match failure.class {
        FailureClass::Rejected | FailureClass::Guest => {
            let body = bytes_body(failure.detail.clone()).map_err(|failure| as_error(&failure));
            let mut response = Response::new(body.boxed_unsync());
            *response.status_mut() = StatusCode::from_u16(failure.class.http_status())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Ok(response)
        }
        FailureClass::Invalid
        | FailureClass::Trap
        | FailureClass::Timeout
        | FailureClass::MemoryLimit
        | FailureClass::TooLarge
        | FailureClass::Conflict
        | FailureClass::Mismatch
        | FailureClass::Busy
        | FailureClass::Unavailable
        | FailureClass::Cancelled
        | FailureClass::Internal => Err(as_error(failure)),
    }
}

fn as_error(failure: &Failure) -> Error {
    match failure.class {
        // The only call of ours that is not valid is one that came through too many functions.
        FailureClass::Invalid => Error::LoopDetected,
        FailureClass::TooLarge => Error::HttpRequestBodySize(None),
        FailureClass::Timeout => Error::HttpResponseTimeout,
        FailureClass::Busy | FailureClass::Unavailable => Error::ConnectionLimitReached,
        FailureClass::Cancelled => Error::ConnectionTerminated,
        FailureClass::Rejected
        | FailureClass::Guest
        | FailureClass::Trap
        | FailureClass::MemoryLimit
        | FailureClass::Conflict
        | FailureClass::Mismatch
        | FailureClass::Internal => Error::HttpResponseIncomplete,
    }
}
