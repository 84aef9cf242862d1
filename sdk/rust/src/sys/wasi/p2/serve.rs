//! What the exports call.

use http::Request;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use super::executor::block_on;
use super::{incoming, outgoing};
use crate::bindings::types as wit;
use crate::sys::wasi::convert;
use crate::{
    BatchReply, Body, Error, Event, IntoInit, IntoReply, IntoResponse, Payload, StatusCode, batch,
    event, log, response,
};

/// One request.
pub fn http<H, F>(request: IncomingRequest, out: ResponseOutparam, handler: H)
where
    H: FnOnce(Request<Body>) -> F,
    F: Future<Output: IntoResponse>,
{
    start();
    block_on(async {
        let response = match incoming::request(&request) {
            Some(request) => response::call(handler, request).await,
            None => {
                Error::status(StatusCode::BAD_REQUEST, "the request is malformed").into_response()
            }
        };
        outgoing::respond(out, response).await;
    });
}

/// One event.
pub fn event<H, F, T, R, E>(
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
    let reply = block_on(event::call(handler, delivery, context));
    reply.map(convert::reply).map_err(|error| convert::failure(&error))
}

/// One batch.
pub fn batch<H, F, T, E>(
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
    Ok(convert::batch_reply(block_on(batch::call(handler, deliveries, context))))
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
