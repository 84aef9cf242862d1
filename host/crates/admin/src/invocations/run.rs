//! Runs an invocation where functions run, and brings its answer back. A reader that is slow keeps
//! no function waiting for longer than its deadline.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use wfh_event::{Failure, FailureClass};
use wfh_invoke::{
    Dispatcher, Invocation, Invoke, Outcome, Reply, ReplyBody, Tail, response_from_reply,
};

use crate::api::Shared;

/// Pieces of an answer that wait for their reader.
const PIECES_MAX: usize = 4;
/// How long a piece may wait for its reader.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);

/// What the function answered.
pub(super) struct Answer(pub(super) Response<ReplyBody>);

type Head = oneshot::Sender<Result<Response<Channel<Bytes, Failure>>, Failure>>;

/// Runs it. Dropping the future, or the answer's body, cancels the function.
pub(super) async fn run(shared: &Shared, invocation: Invocation) -> Result<Answer, Failure> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let workers = &shared.sources.workers;
    let worker = NEXT.fetch_add(1, Ordering::Relaxed) % workers.len().max(1);
    let (head, answer) = oneshot::channel();
    let call = call(shared.sources.dispatcher.clone(), invocation, head);
    let task = match workers.get(worker) {
        Some(worker) => worker.spawn(call),
        None => tokio::spawn(call),
    };
    let task = AbortOnDropHandle::new(task);
    let lost = |_| Err(Failure::new(FailureClass::Internal, "the call's task vanished"));
    let response = answer.await.unwrap_or_else(lost)?;
    let mut tail = Tail::default();
    tail.hold(task);
    Ok(Answer(response.map(|body| ReplyBody::new(body.boxed_unsync(), tail))))
}

async fn call(dispatcher: Dispatcher, invocation: Invocation, head: Head) {
    let outcome = dispatcher.invoke(invocation).await.into_iter().next();
    let (response, tail) = match outcome {
        Some(Outcome::Done(Reply::Http(response, tail))) => (response, tail),
        Some(Outcome::Done(Reply::Event(reply))) => (response_from_reply(reply), Tail::default()),
        Some(Outcome::Failed(failure)) => return drop(head.send(Err(failure))),
        Some(Outcome::Deferred { after, .. }) => {
            let failure = Failure::new(FailureClass::Unavailable, "the call was put off");
            return drop(head.send(Err(failure.with_retry_after(after))));
        }
        None => {
            let failure = Failure::new(FailureClass::Internal, "a call without an outcome");
            return drop(head.send(Err(failure)));
        }
    };
    let (sender, body) = Channel::new(PIECES_MAX);
    let (parts, guest) = response.into_parts();
    if head.send(Ok(Response::from_parts(parts, body))).is_ok() {
        pump(ReplyBody::new(guest, tail), sender).await;
    }
}

async fn pump(mut body: ReplyBody, mut sender: Sender<Bytes, Failure>) {
    while let Some(frame) = body.frame().await {
        let sent = match frame {
            Ok(frame) => timeout(PIECE_TIMEOUT, sender.send(frame)).await,
            Err(failure) => return sender.abort(failure),
        };
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                let detail = "the caller does not read its answer";
                return sender.abort(Failure::new(FailureClass::Cancelled, detail));
            }
        }
    }
}
