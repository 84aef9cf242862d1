//! Outgoing calls.

use std::time::Duration;

use http::{Request, Response};
use wasip3::http::client;
use wasip3::http::types::RequestOptions;
use wasip3::http_compat::{
    RequestOptionsExtension, http_from_wasi_response, http_into_wasi_request,
};

use super::failure::{failed, with_length};
use crate::Body;
use crate::client::{Error, ErrorKind, Timeouts};

pub(crate) async fn send(
    request: Request<Body>,
    timeouts: Timeouts,
) -> Result<Response<Body>, Error> {
    let (mut parts, body) = request.into_parts();
    parts.headers = with_length(parts.headers, &parts.method, &body);
    if let Some(options) = options(timeouts)? {
        parts.extensions.insert(RequestOptionsExtension(options));
    }
    let request = http_into_wasi_request(Request::from_parts(parts, body)).map_err(failed)?;
    let answer = client::send(request).await.map_err(failed)?;
    Ok(http_from_wasi_response(answer).map_err(failed)?.map(Body::new))
}

fn options(timeouts: Timeouts) -> Result<Option<RequestOptions>, Error> {
    if timeouts == Timeouts::default() {
        return Ok(None);
    }
    let options = RequestOptions::new();
    let nanoseconds = |timeout: Duration| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let set = options
        .set_connect_timeout(timeouts.connect.map(nanoseconds))
        .and_then(|()| options.set_first_byte_timeout(timeouts.first_byte.map(nanoseconds)))
        .and_then(|()| options.set_between_bytes_timeout(timeouts.between_bytes.map(nanoseconds)));
    let refused = |_| Error::new(ErrorKind::Invalid, "the host does not take these timeouts");
    set.map_err(refused)?;
    Ok(Some(options))
}
