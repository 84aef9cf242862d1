//! What the attributes write into an author's crate. Hidden: it changes with the SDK.
//!
//! Natively an export only checks that the function has the right types, so that mistakes show up in
//! `cargo check` already.

#[cfg(target_family = "wasm")]
pub use crate::bindings::*;
#[cfg(target_family = "wasm")]
pub use crate::sys::wasi::serve;

#[cfg(not(target_family = "wasm"))]
pub use check::*;

#[cfg(not(target_family = "wasm"))]
mod check {
    use http::Request;

    use crate::{BatchReply, Body, Error, Event, IntoInit, IntoReply, IntoResponse, Payload};

    pub fn http<H, F>(_: H)
    where
        H: FnOnce(Request<Body>) -> F,
        F: Future<Output: IntoResponse>,
    {
    }

    pub fn event<H, F, T, R, E>(_: H)
    where
        H: FnOnce(Event<T>) -> F,
        F: Future<Output = Result<R, E>>,
        T: Payload,
        R: IntoReply,
        E: Into<Error>,
    {
    }

    pub fn batch<H, F, T, E>(_: H)
    where
        H: FnOnce(Vec<Event<T>>) -> F,
        F: Future<Output = Result<BatchReply, E>>,
        T: Payload,
        E: Into<Error>,
    {
    }

    pub fn init<H: FnOnce() -> R, R: IntoInit>(_: H) {}
}

#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_http {
    ($handler:path) => {
        const _: fn() = || $crate::__private::http($handler);
    };
}

#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_event {
    ($handler:path) => {
        const _: fn() = || $crate::__private::event($handler);
    };
}

#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_batch {
    ($handler:path) => {
        const _: fn() = || $crate::__private::batch($handler);
    };
}

#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_init {
    ($handler:path) => {
        const _: fn() = || $crate::__private::init($handler);
    };
}

#[cfg(all(target_family = "wasm", not(feature = "p3")))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_http {
    ($handler:path) => {
        const _: () = {
            struct Exported;
            impl $crate::__private::http::Guest for Exported {
                fn handle(
                    request: $crate::__private::http::IncomingRequest,
                    out: $crate::__private::http::ResponseOutparam,
                ) {
                    $crate::__private::serve::http(request, out, $handler);
                }
            }
    $crate::__private::http::export!(Exported with_types_in $crate::__private::http::root);
        };
    };
}

#[cfg(all(target_family = "wasm", feature = "p3"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_http {
    ($handler:path) => {
        const _: () = {
            struct Exported;
            impl $crate::__private::http::Guest for Exported {
                async fn handle(
                    request: $crate::__private::http::Request,
                ) -> Result<$crate::__private::http::Response, $crate::__private::http::ErrorCode>
                {
                    $crate::__private::serve::http(request, $handler).await
                }
            }
    $crate::__private::http::export!(Exported with_types_in $crate::__private::http::root);
        };
    };
}

#[cfg(all(target_family = "wasm", not(feature = "p3")))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_event {
    ($handler:path) => {
        const _: () = {
            struct Exported;
            impl $crate::__private::event::Guest for Exported {
                fn handle(
                    delivery: $crate::__private::types::Delivery,
                    context: &$crate::__private::types::Context,
                ) -> Result<$crate::__private::types::Reply, $crate::__private::types::Failure> {
                    $crate::__private::serve::event(delivery, context, $handler)
                }
            }
            $crate::__private::event::export!(Exported with_types_in $crate::__private::event::root);
        };
    };
}

#[cfg(all(target_family = "wasm", feature = "p3"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_event {
    ($handler:path) => {
        const _: () = {
            struct Exported;
            impl $crate::__private::event::Guest for Exported {
                async fn handle(
                    delivery: $crate::__private::types::Delivery,
                    context: &$crate::__private::types::Context,
                ) -> Result<$crate::__private::types::Reply, $crate::__private::types::Failure> {
                    $crate::__private::serve::event(delivery, context, $handler).await
                }
            }
            $crate::__private::event::export!(Exported with_types_in $crate::__private::event::root);
        };
    };
}

#[cfg(all(target_family = "wasm", not(feature = "p3")))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_batch {
    ($handler:path) => {
        const _: () = {
            struct Exported;
            impl $crate::__private::batch::Guest for Exported {
                fn handle(
                    deliveries: Vec<$crate::__private::types::Delivery>,
                    context: &$crate::__private::types::Context,
                ) -> Result<$crate::__private::types::BatchReply, $crate::__private::types::Failure>
                {
                    $crate::__private::serve::batch(deliveries, context, $handler)
                }
            }
            $crate::__private::batch::export!(Exported with_types_in $crate::__private::batch::root);
        };
    };
}

#[cfg(all(target_family = "wasm", feature = "p3"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_batch {
    ($handler:path) => {
        const _: () = {
            struct Exported;
            impl $crate::__private::batch::Guest for Exported {
                async fn handle(
                    deliveries: Vec<$crate::__private::types::Delivery>,
                    context: &$crate::__private::types::Context,
                ) -> Result<$crate::__private::types::BatchReply, $crate::__private::types::Failure>
                {
                    $crate::__private::serve::batch(deliveries, context, $handler).await
                }
            }
            $crate::__private::batch::export!(Exported with_types_in $crate::__private::batch::root);
        };
    };
}

#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_init {
    ($handler:path) => {
        const _: () = {
            struct Exported;
            impl $crate::__private::init::Guest for Exported {
                fn init() -> Result<(), String> {
                    $crate::__private::serve::init($handler)
                }
            }
    $crate::__private::init::export!(Exported with_types_in $crate::__private::init::root);
        };
    };
}
