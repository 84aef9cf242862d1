//! `wfh:function/log`: levelled records with fields. Always there.

use wasmtime::component::{HasSelf, Linker};

use crate::init::Inside;
use crate::log::Fields;
use crate::sandbox::Sandbox;

mod bindings {
    #![allow(missing_docs, unreachable_pub, reason = "generated from wit/function.wit")]
    #![allow(clippy::all, reason = "generated")]

    wasmtime::component::bindgen!({
        path: "../../../wit",
        inline: "
            package wfh:host-log;
            world host { import wfh:function/log@0.1.0; }
        ",
        world: "wfh:host-log/host",
        require_store_data_send: true,
    });
}

use bindings::wfh::function::log;
pub(crate) use log::Level;

pub(crate) fn add_to_linker<T: log::Host + 'static>(
    linker: &mut Linker<T>,
) -> wasmtime::Result<()> {
    log::add_to_linker::<T, HasSelf<T>>(linker, |data| data)
}

impl log::Host for Sandbox {
    fn log(&mut self, level: Level, target: String, message: String, fields: Fields) {
        self.log().record(level, &target, &message, fields);
    }
}

impl log::Host for Inside {
    fn log(&mut self, level: Level, target: String, message: String, fields: Fields) {
        self.log.record(level, &target, &message, fields);
    }
}
