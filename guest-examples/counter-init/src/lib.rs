//! Does its expensive work once, ahead of time.
//!
//! `init` runs when the function is built and the host keeps a snapshot of the memory it leaves
//! behind, so every sandbox starts with the sieve done. Without it the first request does the work.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;
use wasip2::exports::http::incoming_handler::Guest as HttpGuest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use bindings::exports::wfh::function::init::Guest as InitGuest;

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package example:counter-init;
            world counter-init { export wfh:function/init@0.1.0; }
        ",
    });
}

const LIMIT: usize = 3_000_000;

static PRIMES: OnceLock<Vec<usize>> = OnceLock::new();
static INIT_RAN: AtomicBool = AtomicBool::new(false);
static SERVED: AtomicU64 = AtomicU64::new(0);

struct CounterInit;

bindings::export!(CounterInit with_types_in bindings);
wasip2::http::proxy::export!(CounterInit);

impl InitGuest for CounterInit {
    fn init() -> Result<(), String> {
        PRIMES.get_or_init(|| primes_below(LIMIT));
        INIT_RAN.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl HttpGuest for CounterInit {
    fn handle(_request: IncomingRequest, response_out: ResponseOutparam) {
        let served = SERVED.fetch_add(1, Ordering::Relaxed) + 1;
        let report = json!({
            "primes": PRIMES.get_or_init(|| primes_below(LIMIT)).len(),
            "init": INIT_RAN.load(Ordering::Relaxed),
            "served": served,
        });
        support::respond(response_out, 200, "application/json", report.to_string().as_bytes());
    }
}

/// The sieve of Eratosthenes.
fn primes_below(limit: usize) -> Vec<usize> {
    let mut composite = vec![false; limit];
    let mut primes = Vec::new();
    for number in 2..limit {
        if composite[number] {
            continue;
        }
        primes.push(number);
        for multiple in (2 * number..limit).step_by(number) {
            composite[multiple] = true;
        }
    }
    primes
}
