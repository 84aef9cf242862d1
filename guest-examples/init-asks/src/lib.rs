//! Asks in `init` for what an init does not get, and tells later what it was answered.
//!
//! The reply to any event is what `init` saw, as JSON.

use std::sync::OnceLock;

use serde_json::{Value, json};
use wasip2::cli::environment;
use wasip2::filesystem::preopens;
use wasip2::random::insecure_seed;

use exports::wfh::function::handler::{Context, Delivery, Failure, Guest, Reply};
use exports::wfh::function::init::Guest as InitGuest;
use wfh::function::log::{self, Level};
use wfh::function::types::Event;
use wfh::function::{publish, state};

wit_bindgen::generate!({
    path: "../../wit",
    generate_all,
    inline: "
        package example:init-asks;
        world init-asks {
            include wfh:function/capabilities@0.1.0;
            export wfh:function/init@0.1.0;
            export wfh:function/handler@0.1.0;
        }
    ",
});

static SEEN: OnceLock<Value> = OnceLock::new();

struct InitAsks;

export!(InitAsks);

impl InitGuest for InitAsks {
    fn init() -> Result<(), String> {
        log::log(Level::Info, "init", "init says hello", &[]);
        let seen = json!({
            "state": state::get("k").err().map(|error| format!("{error:?}")),
            "publish": publish::send("queue:done", &event()).err().map(|error| format!("{error:?}")),
            "environment": environment::get_environment(),
            "preopens": preopens::get_directories().len(),
            "insecure-seed": insecure_seed::insecure_seed(),
        });
        SEEN.set(seen).map_err(|_| "init ran twice".to_owned())
    }
}

fn event() -> Event {
    Event {
        id: String::new(),
        source: String::new(),
        type_: "asked".to_owned(),
        subject: None,
        time: None,
        datacontenttype: None,
        dataschema: None,
        extensions: Vec::new(),
        data: None,
    }
}

impl Guest for InitAsks {
    fn handle(_delivery: Delivery, _context: &Context) -> Result<Reply, Failure> {
        let seen = SEEN.get().map_or(Value::Null, Clone::clone);
        Ok(Reply {
            datacontenttype: Some("application/json".to_owned()),
            data: Some(seen.to_string().into_bytes()),
            attributes: Vec::new(),
            emit: Vec::new(),
        })
    }
}
