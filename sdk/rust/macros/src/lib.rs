//! The attributes of `wfh-sdk`: each checks the shape of a function and exports it.
//!
//! They know only syntax. What an export does is in `wfh-sdk`, in the hidden macros that are called
//! here, so that the crate's features choose the WASI version and not the author.

mod attribute;

use proc_macro::TokenStream;

use attribute::{Arguments, Kind, expand};

/// Makes an async function the handler of HTTP requests. See `wfh::http` in the SDK.
#[proc_macro_attribute]
pub fn http(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expanded(Kind::Http, arguments, item)
}

/// Makes an async function the handler of events. See `wfh::event` in the SDK.
#[proc_macro_attribute]
pub fn event(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expanded(Kind::Event, arguments, item)
}

/// Makes an async function the handler of batches of events. See `wfh::batch` in the SDK.
#[proc_macro_attribute]
pub fn batch(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expanded(Kind::Batch, arguments, item)
}

/// Makes a function the one that runs before the snapshot. See `wfh::init` in the SDK.
#[proc_macro_attribute]
pub fn init(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expanded(Kind::Init, arguments, item)
}

fn expanded(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = syn::parse_macro_input!(arguments as Arguments);
    let function = syn::parse_macro_input!(item as syn::ItemFn);
    expand(kind, &arguments, &function).unwrap_or_else(|error| error.into_compile_error()).into()
}
