//! The console: pages of this port's own, rendered here, kept up to date by server-sent events.

mod assets;
mod live;
mod pages;
mod session;

pub(crate) use pages::routes;
pub(crate) use session::{is_for_everybody, is_page, is_signed_in, shows_cookie};

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

/// What of the pages goes on between two looks.
#[derive(Default)]
pub(crate) struct Console {
    rates: Mutex<HashMap<String, Rate>>,
}

/// How often a function was called lately.
#[derive(Clone, Copy)]
struct Rate {
    at: Instant,
    calls: u64,
    failures: u64,
    per_second: f64,
    failed: f64,
}
