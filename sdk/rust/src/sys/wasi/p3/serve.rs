//! What the exports call.

use http::Request;
use wasip3::http::types::{self, ErrorCode};
use wasip3::http_compat::{http_from_wasi_request, http_into_wasi_response};

use crate::bindings::types as wit;
use crate::sys::wasi::convert;
use crate::{
    BatchReply, Body, Error, Event, IntoInit, IntoReply, IntoResponse, Payload, StatusCode, batch,
    event, log, response,
};

/// One request.
pub async fn http<H, F>(request: types::Request, handler: H) -> Result<types::Response, ErrorCode>
where
    H: FnOnce(Request<Body>) -> F,
    F: Future<Output: IntoResponse>,
{
    start();
    let response = match http_from_wasi_request(request) {
        Ok(request) => response::call(handler, request.map(Body::new)).await,
        Err(_) => {
            Error::status(StatusCode::BAD_REQUEST, "the request is malformed").into_response()
        }
    };
    http_into_wasi_response(response)
}

/// One event.
pub async fn event<H, F, T, R, E>(
    delivery: wit::Delivery,
    context: &wit::Context,
    handler: H,
) -> Result<wit::Reply, wit::Failure>
where
    H: FnOnce(Event<T>) -> F,
    F: Future<Output = Result<R, E>>,
    T: Payload,
    R: IntoReply,
    E: Into<Error>,
{
    start();
    let (delivery, context) = (convert::delivery(delivery), convert::context(context));
    let reply = event::call(handler, delivery, context).await;
    reply.map(convert::reply).map_err(|error| convert::failure(&error))
}

/// One batch.
pub async fn batch<H, F, T, E>(
    deliveries: Vec<wit::Delivery>,
    context: &wit::Context,
    handler: H,
) -> Result<wit::BatchReply, wit::Failure>
where
    H: FnOnce(Vec<Event<T>>) -> F,
    F: Future<Output = Result<BatchReply, E>>,
    T: Payload,
    E: Into<Error>,
{
    start();
    let deliveries = deliveries.into_iter().map(convert::delivery).collect();
    let context = convert::context(context);
    Ok(convert::batch_reply(batch::call(handler, deliveries, context).await))
}

/// Before the snapshot.
pub fn init<H: FnOnce() -> R, R: IntoInit>(prepare: H) -> Result<(), String> {
    log::install();
    prepare().into_init()
}

fn start() {
    log::install();
    log::configure();
}
