//! The bindings that `wit-bindgen` makes from the WIT in the crate's folder, and the exports that
//! authors' crates fill in.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::todo,
    reason = "generated; what it calls is the canonical ABI"
)]

pub(crate) use config_store::wasi::config::store;
pub use imports::wfh::function::types;
pub(crate) use imports::wfh::function::{log, publish, state, trace};

mod imports {
    wit_bindgen::generate!({
        path: "wit/function",
        world: "capabilities",
        generate_all,
    });
}

mod config_store {
    wit_bindgen::generate!({ path: "wit/config", world: "wasi:config/imports" });
}

/// `wasi:http/incoming-handler`
#[cfg(not(feature = "p3"))]
pub mod http {
    pub use wasip2 as root;
    pub use wasip2::exports::http::incoming_handler::Guest;
    pub use wasip2::http::proxy::export;
    pub use wasip2::http::types::{IncomingRequest, ResponseOutparam};
}

/// `wfh:function/handler`
#[cfg(not(feature = "p3"))]
pub mod event {
    pub use generated as root;
    pub use generated::export;
    pub use generated::exports::wfh::function::handler::Guest;

    pub mod generated {
        wit_bindgen::generate!({
            path: "wit/function",
            world: "event-function",
            pub_export_macro: true,
            with: { "wfh:function/types@0.1.0": crate::bindings::types },
        });
    }
}

/// `wfh:function/batch-handler`
#[cfg(not(feature = "p3"))]
pub mod batch {
    pub use generated as root;
    pub use generated::export;
    pub use generated::exports::wfh::function::batch_handler::Guest;

    pub mod generated {
        wit_bindgen::generate!({
            path: "wit/function",
            world: "batch-function",
            pub_export_macro: true,
            with: { "wfh:function/types@0.1.0": crate::bindings::types },
        });
    }
}

/// `wasi:http/handler`
#[cfg(feature = "p3")]
pub mod http {
    pub use wasip3 as root;
    pub use wasip3::exports::http::handler::Guest;
    pub use wasip3::http::service::export;
    pub use wasip3::http::types::{ErrorCode, Request, Response};
}

/// `wfh:function/async-handler`
#[cfg(feature = "p3")]
pub mod event {
    pub use generated as root;
    pub use generated::export;
    pub use generated::exports::wfh::function::async_handler::Guest;

    pub mod generated {
        wit_bindgen::generate!({
            path: "wit/function",
            world: "async-event-function",
            pub_export_macro: true,
            with: { "wfh:function/types@0.1.0": crate::bindings::types },
        });
    }
}

/// `wfh:function/async-batch-handler`
#[cfg(feature = "p3")]
pub mod batch {
    pub use generated as root;
    pub use generated::export;
    pub use generated::exports::wfh::function::async_batch_handler::Guest;

    pub mod generated {
        wit_bindgen::generate!({
            path: "wit/function",
            world: "async-batch-function",
            pub_export_macro: true,
            with: { "wfh:function/types@0.1.0": crate::bindings::types },
        });
    }
}

/// `wfh:function/init`
pub mod init {
    pub use generated as root;
    pub use generated::export;
    pub use generated::exports::wfh::function::init::Guest;

    pub mod generated {
        wit_bindgen::generate!({
            path: "wit/function",
            inline: "
                package wfh:sdk;
                world initialized { export wfh:function/init@0.1.0; }
            ",
            pub_export_macro: true,
        });
    }
}
