//! What a guest may try: each probe reports what it got, or the error it met.

use std::fmt::Display;
use std::fs;
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wasip2::random::random::get_random_bytes;

/// A probe takes the value of its query parameter.
type Probe = fn(&str) -> Value;

pub const ALL: [(&str, Probe); 5] =
    [("read", read), ("write", write), ("connect", connect), ("random", random), ("now", now)];

fn read(path: &str) -> Value {
    match fs::read(path) {
        Ok(bytes) => json!({ "content": String::from_utf8_lossy(&bytes) }),
        Err(error) => failed(error),
    }
}

fn write(path: &str) -> Value {
    match fs::write(path, "written by inspect\n") {
        Ok(()) => json!({ "written": true }),
        Err(error) => failed(error),
    }
}

fn connect(address: &str) -> Value {
    match TcpStream::connect(address) {
        Ok(_) => json!({ "connected": true }),
        Err(error) => failed(error),
    }
}

fn random(_: &str) -> Value {
    get_random_bytes(16).iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

fn now(_: &str) -> Value {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs().into(),
        Err(error) => failed(error),
    }
}

fn failed(error: impl Display) -> Value {
    json!({ "error": error.to_string() })
}
