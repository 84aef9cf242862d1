//! How long requests take, from their head to the last byte of the answer.

use std::sync::Arc;
use std::time::Instant;

use http::{Method, Version};
use wfh_telemetry::{KeyValue, attribute, http_version, known_method, meters};

/// A request under way. Dropped when its answer is out, or given up.
pub(crate) struct Served {
    began: Instant,
    method: &'static str,
    version: &'static str,
    scheme: &'static str,
    /// The pattern of its route, once that is known.
    pub(crate) route: Option<Arc<str>>,
    /// The status of its answer, once that is known.
    pub(crate) status: u16,
}

impl Served {
    pub(crate) fn begin(method: &Method, version: Version, is_tls: bool) -> Self {
        let (method, version) = (known_method(method.as_str()), http_version(version));
        let scheme = if is_tls { "https" } else { "http" };
        Self { began: Instant::now(), method, version, scheme, route: None, status: 0 }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // An answer that never came: its client left.
        let status = if self.status == 0 { 499 } else { self.status };
        let route = self.route.take().unwrap_or_else(|| "".into());
        let pairs = [
            KeyValue::new(attribute::HTTP_REQUEST_METHOD, self.method),
            KeyValue::new(attribute::URL_SCHEME, self.scheme),
            KeyValue::new(attribute::NETWORK_PROTOCOL_VERSION, self.version),
            KeyValue::new(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status)),
            KeyValue::new(attribute::HTTP_ROUTE, route),
            KeyValue::new(attribute::ERROR_TYPE, i64::from(status)),
        ];
        // Only errors of this side have the last one.
        let pairs = if status >= 500 { pairs.as_slice() } else { pairs.split_at(5).0 };
        meters().request_served(self.began.elapsed(), pairs);
    }
}
