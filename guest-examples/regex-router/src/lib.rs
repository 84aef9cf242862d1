//! A router of 200 regular expressions: compiled in `init`, so that no sandbox compiles them.
//!
//! `GET /tenants/acme/orders-17/42` answers `orders-17 acme 42`; what no pattern matches is 404.
//! Without the snapshot (`init = "off"` in the manifest) each request compiles them all.

use std::sync::OnceLock;

use regex::{Regex, RegexSet};
use wasip2::exports::http::incoming_handler::Guest as HttpGuest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use bindings::exports::wfh::function::init::Guest as InitGuest;

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package example:regex-router;
            world regex-router { export wfh:function/init@0.1.0; }
        ",
    });
}

const KINDS: [&str; 4] = ["orders", "invoices", "parcels", "returns"];
const OF_EACH: usize = 50;

static ROUTES: OnceLock<Routes> = OnceLock::new();

/// All patterns as one automaton, which finds the route, and each alone, which takes it apart.
struct Routes {
    all: RegexSet,
    each: Vec<(String, Regex)>,
}

struct RegexRouter;

bindings::export!(RegexRouter with_types_in bindings);
wasip2::http::proxy::export!(RegexRouter);

impl InitGuest for RegexRouter {
    fn init() -> Result<(), String> {
        ROUTES.set(compile()?).map_err(|_| "init ran twice".to_owned())
    }
}

impl HttpGuest for RegexRouter {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let routes = ROUTES.get_or_init(|| compile().unwrap());
        match find(routes, &path) {
            Some(text) => support::text(response_out, 200, &text),
            None => support::text(response_out, 404, "no pattern matches\n"),
        }
    }
}

/// Compiles everything, and matches once with each: expressions grow caches when they are used.
fn compile() -> Result<Routes, String> {
    let names = KINDS.iter().flat_map(|kind| (0..OF_EACH).map(move |n| format!("{kind}-{n}")));
    let patterns: Vec<(String, String)> = names.map(|name| (pattern(&name), name)).collect();
    let all = RegexSet::new(patterns.iter().map(|(pattern, _)| pattern));
    let each = patterns.iter().map(|(pattern, name)| Ok((name.clone(), Regex::new(pattern)?)));
    let each: Result<_, regex::Error> = each.collect();
    let failed = |error: regex::Error| error.to_string();
    let routes = Routes { all: all.map_err(failed)?, each: each.map_err(failed)? };
    for (_, name) in &patterns {
        let path = format!("/tenants/nobody/{name}/1");
        find(&routes, &path).ok_or_else(|| format!("{path} finds no route"))?;
    }
    Ok(routes)
}

fn pattern(name: &str) -> String {
    format!(
        "^/tenants/(?<tenant>[a-z][a-z0-9-]{{0,30}})/{name}/(?<id>[0-9]{{1,12}}|[0-9a-f]{{32}})/?$"
    )
}

fn find(routes: &Routes, path: &str) -> Option<String> {
    let first = routes.all.matches(path).iter().next()?;
    let (name, regex) = routes.each.get(first)?;
    let captures = regex.captures(path)?;
    Some(format!("{name} {} {}\n", &captures["tenant"], &captures["id"]))
}
