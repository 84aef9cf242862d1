//! How each kind of function is called, one a file.

mod body;
mod event;
mod http_p2;
mod http_p3;
mod reply;

pub(crate) use body::{in_one_piece, reply};
pub(crate) use event::run as run_event;
pub(crate) use http_p2::run as run_http_p2;
pub(crate) use http_p3::run as run_http_p3;

use wasmtime_wasi_http::Error as WasiError;
use wfh_event::{Failure, FailureClass};

/// A request body that broke off, as the guest sees it.
pub(crate) fn request_error(failure: Failure) -> WasiError {
    match failure.class {
        FailureClass::TooLarge => WasiError::HttpRequestBodySize(None),
        FailureClass::Timeout => WasiError::ConnectionReadTimeout,
        FailureClass::Invalid
        | FailureClass::Rejected
        | FailureClass::Guest
        | FailureClass::Trap
        | FailureClass::MemoryLimit
        | FailureClass::Conflict
        | FailureClass::Mismatch
        | FailureClass::Busy
        | FailureClass::Unavailable
        | FailureClass::Cancelled
        | FailureClass::Internal => WasiError::ConnectionTerminated,
    }
}
