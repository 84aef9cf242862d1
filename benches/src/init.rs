//! What pre-initialization saves: the same component with its snapshot and without.

use crate::client::{closed_loop, count, get};
use crate::figures::ROUND_TIME;
use crate::peers::{Programs, manifest};
use crate::process::Server;
use crate::report::{figure, median};

/// The last of the 200 patterns matches it.
const PATH: &str = "/tenants/acme/returns-49/42";
const STARTS: usize = 5;
const SETTINGS: [(&str, &str); 2] = [("init", ""), ("no-init", "init = \"off\"")];

/// `regex-router`, first and later requests, each in a fresh sandbox.
pub(crate) fn pre_initialization(programs: &Programs) {
    let wasm = programs.guest("regex_router");
    let texts = SETTINGS.map(|(name, settings)| manifest(&[(name, &wasm, settings)], ""));
    // From the cache from here on, as every start but the first.
    texts.iter().for_each(|text| drop(programs.wfh(text)));
    let mut first = [Vec::new(), Vec::new()];
    for _ in 0..STARTS {
        for (text, times) in texts.iter().zip(&mut first) {
            times.push(first_request_us(&programs.wfh(text)));
        }
    }
    report("first request of a process", first.map(median));
    let servers = texts.each_ref().map(|text| programs.wfh(text));
    report("each request, fresh sandbox, p50", servers.each_ref().map(later_request_us));
}

fn first_request_us(server: &Server) -> f64 {
    let answered = count(server.address, &get(PATH), 1, 1);
    assert_eq!(answered.errors, 0, "the first request failed");
    answered.quantile_us(1.0)
}

fn later_request_us(server: &Server) -> f64 {
    let load = closed_loop(server.address, &get(PATH), 1, ROUND_TIME);
    assert_eq!(load.errors, 0, "a request failed");
    load.quantile_us(0.5)
}

fn report(what: &str, [with, without]: [f64; 2]) {
    println!("| regex-router, {what}: with init | {with:.0} us | | |");
    println!("| the same without its snapshot | {without:.0} us | | |");
    figure("ratio", without / with, "x", "20", "");
}
