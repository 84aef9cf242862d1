use super::*;
use proptest::prelude::*;

fn route(text: &str) -> Route {
    let (methods, pattern) = text.split_once(' ').unwrap_or(("", text));
    let methods = methods.split(',').filter(|method| !method.is_empty());
    Route {
        pattern: pattern.parse().unwrap_or_else(|error| panic!("{pattern}: {error}")),
        methods: methods.map(|method| method.parse().expect("a method")).collect(),
    }
}

fn table(routes: &[&'static str]) -> RouteTable<&'static str> {
    RouteTable::build(routes.iter().map(|text| (route(text), *text)).collect()).expect("a table")
}

/// `ROUTE name=value ...`, `405 METHODS` or `404`.
fn show(lookup: &Lookup<'_, &'static str>) -> String {
    match lookup {
        Lookup::Found { value, parameters, .. } => {
            let shown = parameters.iter().map(|(name, value)| format!(" {name}={value}"));
            format!("{value}{}", shown.collect::<String>())
        }
        Lookup::MethodNotAllowed { allow } => format!("405 {}", allow.join(",")),
        Lookup::NotFound => "404".to_owned(),
    }
}

#[test]
fn the_most_specific_route_wins() {
    let table = table(&[
        "/",
        "/checkout/{id}",
        "/u/{id}/x",
        "/u/me/{*rest}",
        "/u/{id}",
        "/f/{*tail}",
        "/f/exact",
        "GET /m/{get}",
        "POST,PUT /m/{post}",
        "/any",
        "GET /any",
        "GET /only",
        "DELETE /{anything}",
        "/caf%C3%A9",
        "/a%2Fb",
    ]);
    let cases = [
        ("GET", "/", "/"),
        ("GET", "/checkout/7", "/checkout/{id} id=7"),
        ("GET", "/checkout/", "404"),
        ("GET", "/checkout/7/", "404"),
        ("GET", "/checkout/a%20b%2Fc", "/checkout/{id} id=a b/c"),
        ("GET", "/checkout/%ff", "/checkout/{id} id=%ff"),
        ("GET", "/checkout/%4", "/checkout/{id} id=%4"),
        ("GET", "/u/me/x", "/u/me/{*rest} rest=x"),
        ("GET", "/u/me", "/u/me/{*rest} rest="),
        ("GET", "/u/you/x", "/u/{id}/x id=you"),
        ("GET", "/u/you", "/u/{id} id=you"),
        ("GET", "/u/me/x/y", "/u/me/{*rest} rest=x/y"),
        ("GET", "/f", "/f/{*tail} tail="),
        ("GET", "/f/", "/f/{*tail} tail="),
        ("GET", "/f/exact", "/f/exact"),
        ("GET", "/f/exact/", "/f/{*tail} tail=exact/"),
        ("GET", "/f/a%2Fb/c%20d", "/f/{*tail} tail=a%2Fb/c%20d"),
        ("GET", "/m/1", "GET /m/{get} get=1"),
        ("HEAD", "/m/1", "GET /m/{get} get=1"),
        ("PUT", "/m/1", "POST,PUT /m/{post} post=1"),
        ("DELETE", "/m/1", "405 GET,HEAD,POST,PUT"),
        ("GET", "/any", "GET /any"),
        ("HEAD", "/any", "GET /any"),
        ("POST", "/any", "/any"),
        ("DELETE", "/only", "DELETE /{anything} anything=only"),
        ("POST", "/only", "405 DELETE,GET,HEAD"),
        ("GET", "/café", "/caf%C3%A9"),
        ("GET", "/caf%c3%a9", "/caf%C3%A9"),
        ("GET", "/a%2fb", "/a%2Fb"),
        ("GET", "/a/b", "404"),
        ("OPTIONS", "*", "404"),
        ("GET", "", "404"),
    ];
    for (method, path, expected) in cases {
        assert_eq!(show(&table.find(method, path)), expected, "{method} {path}");
    }
}

#[test]
fn a_tail_at_the_root_takes_everything() {
    let table = table(&["/{*rest}"]);
    assert_eq!(show(&table.find("GET", "/")), "/{*rest} rest=");
    assert_eq!(show(&table.find("GET", "/a/b")), "/{*rest} rest=a/b");
    assert_eq!(show(&table.find("GET", "//")), "/{*rest} rest=/");
}

#[test]
fn routes_of_one_shape_need_methods_of_their_own() {
    let build = |routes: &[&'static str]| {
        let routes = routes.iter().map(|text| (route(text), ())).collect();
        let conflicts = RouteTable::build(routes).err().unwrap_or_default();
        conflicts.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let fine = ["/a/{id}", "GET /a/{key}", "POST /a/{id}", "/a/b", "/a/{*rest}", "HEAD /a/{id}"];
    assert_eq!(build(&fine), [""; 0]);
    assert_eq!(
        build(&["/a/{id}", "/a/{key}"]),
        ["`/a/{key}` and `/a/{id}` match the same requests"]
    );
    assert_eq!(build(&["/b%63", "/bc"]), ["`/bc` and `/b%63` match the same requests"]);
    assert_eq!(
        build(&["GET,PUT /{*a}", "PUT,GET,POST /{*b}"]),
        ["`/{*b}` and `/{*a}` match the same requests with `PUT`, `GET`"]
    );
}

#[test]
fn a_pattern_is_a_path() {
    for text in [
        "", "a", "/a//b", "/a/../b", "/./a", "/a?b", "/a#b", "/a b", "/{}", "/{a", "/a}", "/{a}b",
        "/{1}", "/{a}/{A}", "/{*}", "/{*a}/b", "/{a b}", "/%2e%2e",
    ] {
        assert!(text.parse::<RoutePattern>().is_err(), "{text} was accepted");
    }
}

/// Tries every route on its own and compares what matches, as the documentation says it.
fn naive(routes: &[Route], method: &str, path: &str) -> Option<usize> {
    let path: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let rank = |segment: &Segment| match segment {
        Segment::Literal(_) => 0,
        Segment::Parameter(_) => 1,
        Segment::Tail(_) => 2,
    };
    let method_rank = |route: &Route| {
        let lists = |wanted: &str| route.methods.iter().any(|listed| listed.as_str() == wanted);
        match () {
            () if lists(method) => Some(0),
            () if method == "HEAD" && lists("GET") => Some(1),
            () if route.methods.is_empty() => Some(2),
            () => None,
        }
    };
    let matching = routes.iter().enumerate().filter_map(|(index, route)| {
        let ranks: Vec<i32> = route.pattern.segments().iter().map(rank).collect();
        fits(route.pattern.segments(), &path).then_some((ranks, method_rank(route)?, index))
    });
    matching.min().map(|(_, _, index)| index)
}

fn fits(pattern: &[Segment], path: &[&str]) -> bool {
    match (pattern, path) {
        ([Segment::Tail(_)], _) | ([], []) => true,
        ([Segment::Literal(text), pattern @ ..], [segment, path @ ..]) => {
            *text == decode(segment) && fits(pattern, path)
        }
        ([Segment::Parameter(_), pattern @ ..], [segment, path @ ..]) => {
            !segment.is_empty() && fits(pattern, path)
        }
        _ => false,
    }
}

fn any_route() -> impl Strategy<Value = Route> {
    let segments = prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "{}"]), 0..4);
    let end = prop::sample::select(vec!["", "/", "/{*tail}"]);
    let methods = prop::sample::select(vec!["", "GET", "POST", "GET,POST", "HEAD"]);
    (segments, end, methods).prop_map(|(segments, end, methods)| {
        let named = segments.iter().enumerate();
        let path = named.map(|(index, segment)| {
            format!("/{}", segment.replace("{}", &format!("{{p{index}}}")))
        });
        let path = path.collect::<String>() + end;
        route(&format!("{methods} {}", if path.is_empty() { "/" } else { &path }))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_table_agrees_with_trying_every_route(
        candidates in prop::collection::vec(any_route(), 1..12),
        paths in prop::collection::vec("(/(a|b|c|%61|d)){0,4}/?", 1..8),
        method in prop::sample::select(vec!["GET", "HEAD", "POST", "PUT"]),
    ) {
        let mut routes: Vec<Route> = Vec::new();
        for candidate in candidates {
            routes.push(candidate);
            if !conflicts(&routes).is_empty() {
                routes.pop();
            }
        }
        let indexed = routes.iter().cloned().enumerate().map(|(index, route)| (route, index)).collect();
        let table = RouteTable::build(indexed).expect("no conflict is left");
        for path in &paths {
            let found = match table.find(method, path) {
                Lookup::Found { value, parameters, .. } => {
                    let names = routes[*value].pattern.parameters().count();
                    prop_assert_eq!(parameters.len(), names, "{} {}", method, path);
                    Some(*value)
                }
                Lookup::MethodNotAllowed { allow } => {
                    let all = ["GET", "HEAD", "POST"];
                    let taking = all.iter().filter(|method| naive(&routes, method, path).is_some());
                    let taking: Vec<_> = taking.map(ToString::to_string).collect();
                    prop_assert_eq!(allow, taking, "Allow of {}", path);
                    None
                }
                Lookup::NotFound => None,
            };
            prop_assert_eq!(found, naive(&routes, method, path), "{} {}", method, path);
        }
    }

    #[test]
    fn no_path_panics(path in "[/a%{}*0-9\u{e9}.]{0,30}", pattern in "/[/a%{}*.]{0,20}") {
        if let Ok(pattern) = pattern.parse::<RoutePattern>() {
            let route = Route { pattern, methods: Vec::new() };
            let table = RouteTable::build(vec![(route, ())]).expect("one route");
            let _ = table.find("GET", &path);
        }
    }
}
