//! Counts its calls, by path, in plain `wasi:keyvalue`: nothing here is made for this host.
//!
//! `GET /NAME` counts and answers with the number; `?peek=1` only reads; `?all=1` answers with every
//! counter, `NAME NUMBER` a line.

use std::fmt::Write;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use keyvalue::wasi::keyvalue::store::{self, Bucket, Error};
use keyvalue::wasi::keyvalue::{atomics, batch};

mod keyvalue {
    wit_bindgen::generate!({
        path: "../../wit/deps/keyvalue",
        world: "wasi:keyvalue/imports",
    });
}

struct Counter;

wasip2::http::proxy::export!(Counter);

impl Guest for Counter {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        match answer(&request) {
            Ok(text) => support::text(response_out, 200, &text),
            Err(error) => support::text(response_out, 500, &format!("{error:?}\n")),
        }
    }
}

fn answer(request: &IncomingRequest) -> Result<String, Error> {
    let bucket = store::open("counters")?;
    if support::query(request, "all").is_some() {
        return all(&bucket);
    }
    let path = request.path_with_query().unwrap_or_default();
    let name = path.split('?').next().unwrap_or_default().trim_start_matches('/');
    if support::query(request, "peek").is_some() {
        let number = bucket.get(name)?.unwrap_or_else(|| b"0".to_vec());
        return Ok(format!("{}\n", String::from_utf8_lossy(&number)));
    }
    Ok(format!("{}\n", atomics::increment(&bucket, name, 1)?))
}

fn all(bucket: &Bucket) -> Result<String, Error> {
    let (mut text, mut cursor) = (String::new(), None);
    loop {
        let page = bucket.list_keys(cursor)?;
        for (name, number) in batch::get_many(bucket, &page.keys)?.into_iter().flatten() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name} {}", String::from_utf8_lossy(&number));
        }
        match page.cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(text),
        }
    }
}
