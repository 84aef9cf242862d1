use super::*;
use crate::FunctionConfig;

/// A component whose init runs `body`, which may call `$random`.
fn component(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (import "wasi:random/random@0.2.3" (instance $i
                (export "get-random-u64" (func (result u64)))))
            (core func $random (canon lower (func $i "get-random-u64")))
            (core module $m
                (import "host" "random" (func $random (result i64)))
                (memory (export "memory") 1)
                (func (export "init") (result i32) {body}))
            (core instance $host (export "random" (func $random)))
            (core instance $c (instantiate $m (with "host" (instance $host))))
            (func $init (result (result (error string)))
                (canon lift (core func $c "init") (memory (core memory $c "memory"))))
            (instance $e (export "init" (func $init)))
            (export "wfh:function/init@0.1.0" (instance $e)))"#
    );
    wat::parse_str(text).unwrap()
}

fn run_init(body: &str, timeout: Duration) -> Result<Vec<u8>, EngineError> {
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(true).concurrency_support(false);
    let engine = Engine::new(&config).unwrap();
    let ticking = engine.clone();
    std::thread::spawn(move || {
        for _ in 0..3000 {
            std::thread::sleep(Duration::from_millis(1));
            ticking.increment_epoch();
        }
    });
    let interface = ("wfh:function/init@0.1.0", Generation::P2);
    let mut function = FunctionConfig::new("f".parse().unwrap());
    (function.memory_bytes_max, function.table_elements_max) = (1 << 20, 100);
    snapshot(&engine, &component(body), interface, Inside::new(&function), timeout)
}

const AMPLE: Duration = Duration::from_secs(20);

#[test]
fn an_init_that_answers_ok_gives_a_snapshot_with_what_it_wrote() {
    let body = r#"(i32.store (i32.const 64) (i32.const 0x11223344)) (i32.store8 (i32.const 0) (i32.const 0)) (i32.const 0)"#;
    let snapshot = run_init(body, AMPLE).unwrap();
    let written = 0x1122_3344_u32.to_le_bytes();
    assert!(snapshot.windows(4).any(|window| window == written), "the memory was not kept");
}

#[test]
fn an_init_that_draws_random_numbers_is_refused_with_the_reason() {
    let error = run_init("(drop (call $random)) (i32.const 0)", AMPLE).unwrap_err();
    assert!(error.to_string().contains("wasi:random/random"), "{error}");
}

#[test]
fn an_init_that_answers_with_an_error_or_traps_is_refused() {
    let fails = "(i32.store8 (i32.const 0) (i32.const 1)) (i32.const 0)";
    let error = run_init(fails, AMPLE).unwrap_err();
    assert!(error.to_string().contains("it answered with the error"), "{error}");
    assert!(run_init("unreachable", AMPLE).is_err());
}

#[test]
fn an_init_that_never_ends_is_given_up() {
    let error = run_init("(loop br 0) (i32.const 0)", Duration::from_millis(100)).unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}
