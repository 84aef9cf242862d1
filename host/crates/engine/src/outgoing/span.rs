//! The span and the measure of a request that a guest sends.

use std::time::Instant;

use http::{Request, Response};
use wasmtime_wasi_http::{Error, WasiBody};
use wfh_telemetry::{
    KeyValue, Recording, SpanKind, TraceContext, attribute, known_method, meters, tracer,
};

/// A request under way, until the head of its answer.
pub(super) struct Sending {
    began: Instant,
    /// Of the span and of the metric: a port that a guest chooses must not make series.
    about: Vec<KeyValue>,
    recording: Option<Recording>,
}

impl Sending {
    /// The request carries `trace` already, which is the position of the span.
    pub(super) fn begin(trace: &TraceContext, request: &Request<WasiBody>) -> Self {
        let (method, uri) = (known_method(request.method().as_str()), request.uri());
        let host = uri.host().unwrap_or_default().to_owned();
        let scheme = uri.scheme_str().unwrap_or_default().to_owned();
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        let recording = tracer().begin(trace, SpanKind::Client, method);
        let recording = recording.map(|mut recording| {
            // A query may hold secrets; credentials in a URI are never sent.
            let path = uri.path();
            recording.set(attribute::URL_FULL, format!("{scheme}://{host}:{port}{path}"));
            recording.set(attribute::SERVER_PORT, i64::from(port));
            recording
        });
        let about = vec![
            KeyValue::new(attribute::HTTP_REQUEST_METHOD, method),
            KeyValue::new(attribute::SERVER_ADDRESS, host),
            KeyValue::new(attribute::URL_SCHEME, scheme),
        ];
        Self { began: Instant::now(), about, recording }
    }

    /// The head of the answer is there, or will not come.
    pub(super) fn end(mut self, sent: &Result<Response<WasiBody>, Error>) {
        let failed = match sent {
            Ok(response) => {
                let status = response.status();
                let pair =
                    KeyValue::new(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
                self.about.push(pair);
                (status.is_client_error() || status.is_server_error())
                    .then(|| (status.as_u16().to_string(), String::new()))
            }
            Err(error) => Some((kind(error), error.to_string())),
        };
        if let Some((kind, _)) = &failed {
            self.about.push(KeyValue::new(attribute::ERROR_TYPE, kind.clone()));
        }
        meters().request_sent(self.began.elapsed(), &self.about);
        let Some(mut recording) = self.recording else { return };
        self.about.into_iter().for_each(|pair| recording.set_pair(pair));
        if let Some((_, detail)) = failed {
            recording.failed(detail);
        }
        recording.end();
    }
}

/// The name of an error's variant: there are few.
fn kind(error: &Error) -> String {
    let text = format!("{error:?}");
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    text.get(..end).unwrap_or_default().to_owned()
}
