//! Reports what the sandbox lets its guest see, as JSON.
//!
//! Always: the request, the environment, the arguments, the preopened directories and the values of
//! `wasi:config`. On demand, each by its query parameter: `read=PATH`, `write=PATH`,
//! `connect=HOST:PORT`, `random`, `now`.

mod probes;

use serde_json::{Map, Value, json};
use wasip2::cli::environment;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::filesystem::preopens;
use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam};

use config::wasi::config::store;

mod config {
    wit_bindgen::generate!({ path: "wit", world: "wasi:config/imports" });
}

struct Inspect;

wasip2::http::proxy::export!(Inspect);

impl Guest for Inspect {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let mut report = json!({
            "method": method(&request.method()),
            "path-with-query": request.path_with_query(),
            "headers": headers(&request),
            "environment": object(environment::get_environment()),
            "arguments": environment::get_arguments(),
            "preopens": preopens(),
            "config": config_values(),
        });
        for (name, probe) in probes::ALL {
            if let Some(argument) = support::query(&request, name) {
                report[name] = probe(&argument);
            }
        }
        support::respond(response_out, 200, "application/json", report.to_string().as_bytes());
    }
}

fn method(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(other) => other,
    }
}

fn headers(request: &IncomingRequest) -> Vec<(String, String)> {
    let entries = request.headers().entries();
    entries
        .into_iter()
        .map(|(name, value)| (name.to_lowercase(), String::from_utf8_lossy(&value).into_owned()))
        .collect()
}

fn preopens() -> Vec<String> {
    preopens::get_directories().into_iter().map(|(_, name)| name).collect()
}

fn config_values() -> Value {
    match store::get_all() {
        Ok(values) => object(values),
        Err(error) => json!({ "error": format!("{error:?}") }),
    }
}

fn object(pairs: Vec<(String, String)>) -> Value {
    pairs.into_iter().map(|(key, value)| (key, Value::String(value))).collect::<Map<_, _>>().into()
}
