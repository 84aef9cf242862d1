//! The first line is a path, each other line a route; no path may panic or be found wrongly.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wfh_manifest::{Lookup, Route, RouteTable};

fn route(line: &str) -> Option<Route> {
    let (methods, pattern) = line.split_once(' ').unwrap_or(("", line));
    let methods = methods.split(',').filter_map(|method| method.parse().ok()).collect();
    Some(Route { pattern: pattern.parse().ok()?, methods })
}

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let path = lines.next().unwrap_or_default();
    let routes: Vec<_> = lines.filter_map(route).map(|route| (route, ())).collect();
    let Ok(table) = RouteTable::build(routes.clone()) else {
        return;
    };
    for method in ["GET", "HEAD", "POST"] {
        // A route that matches alone keeps the whole table from answering 404.
        let alone = |(route, ()): &(Route, ())| {
            let single = RouteTable::build(vec![(route.clone(), ())]).expect("one route");
            matches!(single.find(method, path), Lookup::Found { .. })
        };
        let found = matches!(table.find(method, path), Lookup::Found { .. });
        assert_eq!(found, routes.iter().any(alone), "{method} {path}");
    }
});
