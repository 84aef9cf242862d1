use std::sync::Arc;

use super::*;
use crate::testing::MemoryState;

fn check_one(import: &str, state: bool, send: bool) -> Result<(), String> {
    let mut config = FunctionConfig::new("shop".parse().unwrap());
    config.state = state;
    config.send = send.then(|| "queue:a".parse().unwrap()).into_iter().collect();
    let memory = Arc::new(MemoryState::default());
    let capabilities = Capabilities { state: Some(memory.clone()), publisher: Some(memory) };
    check(&[import.to_owned()], &config, &capabilities).map_err(|error| error.to_string())
}

#[test]
fn each_import_is_given_or_refused_with_what_would_give_it() {
    let state = "needs `allow.state = true` under [function.shop]";
    let send = "needs `allow.send = [\"queue:NAME\", ...]` under [function.shop]";
    let nobody = "no capability offers it";
    // The import; what is said of it without any grant and with all of them.
    for (import, bare, granted) in [
        ("wasi:cli/environment@0.2.0", None, None),
        ("wasi:http/types@0.2.99", None, None),
        ("wasi:http/client@0.3.2", None, None),
        ("wasi:io/streams@0.2.6", None, None),
        ("wasi:config/store@0.2.0-rc.1", None, None),
        ("wfh:function/types@0.1.0", None, None),
        ("wfh:function/log@0.1.0", None, None),
        ("wfh:function/state@0.1.0", Some(state), None),
        ("wasi:keyvalue/store@0.2.0-draft", Some(state), None),
        ("wasi:keyvalue/atomics@0.2.0-draft", Some(state), None),
        ("wfh:function/publish@0.1.0", Some(send), None),
        (
            "wasi:keyvalue/store@0.2.0-draft2",
            Some("offers wasi:keyvalue@0.2.0-draft"),
            Some("offers wasi:keyvalue@0.2.0-draft"),
        ),
        (
            "wasi:http/types@0.3.0-rc-2026-01-01",
            Some("wasi:http@0.2 and wasi:http@0.3"),
            Some("wasi:http@0.2 and wasi:http@0.3"),
        ),
        ("wasi:nn/graph@0.2.0", Some(nobody), Some(nobody)),
        ("fermyon:spin/redis@2.0.0", Some(nobody), Some(nobody)),
        ("log-line", Some(nobody), Some(nobody)),
    ] {
        for (answer, expected) in
            [(check_one(import, false, false), bare), (check_one(import, true, true), granted)]
        {
            match (answer, expected) {
                (Ok(()), None) => {}
                (Err(error), Some(expected)) => {
                    assert!(error.contains(import), "{import} is not named: {error}");
                    assert!(error.contains(expected), "{import}: {error}");
                }
                (answer, _) => panic!("{import}: {answer:?}, expected {expected:?}"),
            }
        }
    }
}

#[test]
fn every_missing_import_is_named_at_once() {
    let config = FunctionConfig::new("shop".parse().unwrap());
    let memory = Arc::new(MemoryState::default());
    let capabilities = Capabilities { state: Some(memory.clone()), publisher: Some(memory) };
    let imports = ["wasi:nn/graph@0.2.0", "wfh:function/state@0.1.0", "wfh:function/publish@0.1.0"];
    let error = check(&imports.map(str::to_owned), &config, &capabilities).unwrap_err();
    assert!(imports.iter().all(|import| error.to_string().contains(import)), "{error}");
    assert_eq!(error.code(), wfh_event::ErrorCode::ImportUnsatisfied);
}

#[test]
fn without_an_implementation_the_host_says_that_it_lacks_it() {
    let mut config = FunctionConfig::new("shop".parse().unwrap());
    config.state = true;
    let imports = ["wfh:function/state@0.1.0".to_owned()];
    let error = check(&imports, &config, &Capabilities::default()).unwrap_err();
    assert_eq!(error.code(), wfh_event::ErrorCode::NotOffered);
}
