//! From the options to a request of the admin API.

use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use wfh_admin::{HEADER_PREFIX, METHOD, PATH};

use super::Invoke;
use crate::error::Error;

/// A header of the command line.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    name: HeaderName,
    value: HeaderValue,
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("expected NAME: VALUE")?;
        let name = name.trim().parse().map_err(|_| format!("{name:?} is not a header's name"))?;
        let value =
            value.trim().parse().map_err(|_| format!("{value:?} is not a header's value"))?;
        Ok(Self { name, value })
    }
}

/// The request that invokes.
pub(super) fn of(options: &Invoke) -> Result<Request<Full<Bytes>>, Error> {
    let data = data(options.data.as_deref())?;
    let path = format!("/v1/functions/{}/invocations", options.function);
    let mut request = Request::post(path).header(HOST, "localhost");
    let names_type = options.header.iter().any(|header| header.name == CONTENT_TYPE);
    if !names_type && !data.is_empty() {
        request = request.header(CONTENT_TYPE, media_type(&data));
    }
    if options.respond_async {
        request = request.header("prefer", "respond-async");
    }
    let own = [
        (HeaderName::from_static("idempotency-key"), &options.idempotency_key),
        (METHOD, &options.method),
        (PATH, &options.path),
    ];
    for (name, value) in own {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    for Header { name, value } in &options.header {
        request = request.header(format!("{HEADER_PREFIX}{name}"), value);
    }
    let request = request.body(Full::new(data));
    request.map_err(|error| Error::Refused(format!("the options do not make a request: {error}")))
}

fn data(option: Option<&str>) -> Result<Bytes, Error> {
    match option {
        None => Ok(Bytes::new()),
        Some("-") => {
            let mut data = Vec::new();
            std::io::stdin().read_to_end(&mut data)?;
            Ok(data.into())
        }
        Some(text) => match text.strip_prefix('@') {
            Some(path) => {
                let data = std::fs::read(path);
                data.map(Bytes::from).map_err(|error| Error::file(Path::new(path), error))
            }
            None => Ok(Bytes::copy_from_slice(text.as_bytes())),
        },
    }
}

fn media_type(data: &[u8]) -> &'static str {
    match serde_json::from_slice::<serde::de::IgnoredAny>(data) {
        Ok(_) => "application/json",
        Err(_) if std::str::from_utf8(data).is_ok() => "text/plain; charset=utf-8",
        Err(_) => "application/octet-stream",
    }
}
