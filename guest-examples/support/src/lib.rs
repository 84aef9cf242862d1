//! The few lines that nearly every example shares: read a request, write an answer, call out.
//!
//! Everything here is plain `wasi:http`; copy what you need.

mod outgoing;
mod query;

use std::io::{self, Read, Write};

use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

pub use outgoing::{get, wait};
pub use query::{query, query_all, query_number};

/// The most that one splice may move; the host moves what has arrived, up to this.
const SPLICE_BYTES_MAX: u64 = 1024 * 1024;

/// Answers with a text.
pub fn text(response_out: ResponseOutparam, status: u16, body: &str) {
    respond(response_out, status, "text/plain", body.as_bytes());
}

/// Answers with a whole body and finishes it.
pub fn respond(response_out: ResponseOutparam, status: u16, content_type: &str, body: &[u8]) {
    let (outgoing, mut stream) = start(response_out, status, content_type);
    // The caller may hang up at any time; there is nobody left to tell.
    let _ = send(&mut stream, body);
    drop(stream);
    let _ = OutgoingBody::finish(outgoing, None);
}

/// Sends the status and the headers, and gives the body to write to. Drop the stream before the
/// body is finished: it is a child of the body.
pub fn start(
    response_out: ResponseOutparam,
    status: u16,
    content_type: &str,
) -> (OutgoingBody, OutputStream) {
    let headers = Fields::new();
    headers.append("content-type", content_type.as_bytes()).unwrap();
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).unwrap();
    let body = response.body().unwrap();
    ResponseOutparam::set(response_out, Ok(response));
    let stream = body.write().unwrap();
    (body, stream)
}

/// Writes all of `bytes` and waits until they are on their way.
///
/// # Errors
/// When the caller left.
pub fn send(stream: &mut OutputStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    // `OutputStream::flush` would not wait.
    Write::flush(stream)
}

/// The whole request body.
///
/// # Errors
/// When the caller broke off.
pub fn request_body(request: &IncomingRequest) -> io::Result<Vec<u8>> {
    let body = request.consume().map_err(|()| io::Error::other("the body was taken before"))?;
    read_all(&body)
}

/// The whole of an incoming body.
///
/// # Errors
/// When the sender broke off.
pub fn read_all(body: &IncomingBody) -> io::Result<Vec<u8>> {
    let mut stream = body.stream().map_err(|()| io::Error::other("the stream was taken before"))?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Moves bytes inside the host until either side ends; they never enter the guest.
///
/// # Errors
/// When the sender broke off.
pub fn splice(from: &InputStream, to: &OutputStream) -> Result<(), StreamError> {
    loop {
        match to.blocking_splice(from, SPLICE_BYTES_MAX) {
            Ok(_) => {}
            Err(StreamError::Closed) => return Ok(()),
            Err(failed) => return Err(failed),
        }
    }
}

/// The first value of a request header, as text.
pub fn header(request: &IncomingRequest, name: &str) -> Option<String> {
    let value = request.headers().get(name).into_iter().next()?;
    String::from_utf8(value).ok()
}
