//! The example of the contract and what its values become.

// A test that fails by a panic fails as it should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use wfh_manifest::{
    ByteSize, Manifest, Mode, Parsed, QueueOrder, RedisSource, Schedule, StoreKind, Stream, render,
};

const CONTRACT: &str = include_str!("data/contract.toml");

fn parse(text: &str) -> Parsed {
    Manifest::parse(text, &|_| None).unwrap_or_else(|errors| {
        let lines: Vec<_> = errors.iter().map(|error| render(error, "wfh.toml", text)).collect();
        panic!("the manifest has errors:\n{}", lines.join("\n"))
    })
}

#[test]
fn the_example_of_the_contract_parses() {
    let Parsed { manifest, warnings, .. } = parse(CONTRACT);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(manifest.app.name.as_str(), "shop");
    let checkout = &manifest.functions["checkout"];
    assert_eq!(checkout.timeout, Duration::from_secs(5));
    assert_eq!(checkout.memory, ByteSize::mib(64));
    assert_eq!(checkout.allow.http.len(), 3);
    assert!(checkout.idempotency.is_some() && checkout.breaker.is_some());
    assert_eq!(manifest.queues["emails"].order, QueueOrder::None);
    assert_eq!(manifest.streams["audit"], Stream::Kafka { topic: "audit".to_owned() });
    let triggers = &manifest.triggers;
    assert_eq!(triggers.http[0].name.as_str(), "checkout-api");
    assert_eq!(triggers.http[0].config.mode, Mode::Sync);
    assert_eq!(triggers.kafka[0].config.topics.0, ["orders"]);
    assert_eq!(triggers.redis[0].config.source, RedisSource::Stream("jobs".to_owned()));
    assert!(matches!(triggers.schedule[0].config.schedule, Schedule::Cron { .. }));
    assert_eq!(manifest.store.kind, StoreKind::Embedded);
}

#[test]
fn a_scalar_of_the_example_without_another_default_is_the_default() {
    let example = parse(CONTRACT).manifest;
    let bare =
        parse("app.name = \"a\"\n[function.f]\ncomponent = \"f.wasm\"\n[queue.q]\n").manifest;
    let (shown, default) = (&example.functions["checkout"], &bare.functions["f"]);
    assert_eq!(shown.retry, default.retry);
    assert_eq!(shown.concurrency, default.concurrency);
    assert_eq!(shown.queue_timeout, default.queue_timeout);
    assert_eq!(shown.reuse, default.reuse);
    assert_eq!(shown.log_bytes_max, default.log_bytes_max);
    assert_eq!(shown.on.failure, default.on.failure);
    assert_eq!(example.queues["emails"], bare.queues["q"]);
    assert_eq!(example.store, bare.store);
    assert!(default.idempotency.is_none() && default.breaker.is_none());
    assert_eq!(default.timeout, Duration::from_secs(30));
    assert_eq!(default.memory, ByteSize::mib(128));
}

#[test]
fn a_bare_component_is_a_manifest() {
    for (path, name) in [
        ("dir/hello-world.wasm", "hello-world"),
        ("My Component_v2.wasm", "my-component-v2"),
        ("123.wasm", "function"),
        ("9lives-.wasm", "lives"),
    ] {
        let parsed = Manifest::single_component(path.as_ref(), None).expect(path);
        let (function, config) = parsed.manifest.functions.iter().next().expect("a function");
        assert_eq!((function.as_str(), config.component.to_str()), (name, Some(path)));
        assert_eq!(parsed.manifest.triggers.http[0].config.route.as_str(), "/{*rest}");
        assert!(parsed.warnings.is_empty());
    }
    assert!(Manifest::single_component("a.wasm".as_ref(), Some("No Name")).is_err());
}

#[test]
fn variables_are_expanded_before_a_value_is_parsed() {
    let text = "app.name = \"${APP}\"\n[function.f]\ncomponent = \"${DIR:-out}/f.wasm\"\n\
                timeout = \"${T:-2s}\"\nenv = { A = \"$${B}\" }\n";
    let env = |name: &str| (name == "APP").then(|| "shop".to_owned());
    let manifest = Manifest::parse(text, &env).expect("a manifest").manifest;
    assert_eq!(manifest.app.name.as_str(), "shop");
    let function = &manifest.functions["f"];
    assert_eq!(function.component.to_str(), Some("out/f.wasm"));
    assert_eq!(function.timeout, Duration::from_secs(2));
    assert_eq!(function.env["A"], "${B}");
}

#[test]
fn a_manifest_without_triggers_is_a_warning() {
    let parsed = parse("app.name = \"a\"\n[function.f]\ncomponent = \"f.wasm\"\n");
    assert_eq!(parsed.warnings.len(), 1);
    assert_eq!(parsed.warnings[0].key, "trigger");
}
