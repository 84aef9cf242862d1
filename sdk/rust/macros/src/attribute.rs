//! From a function to the function and its export, or to an error that says what was expected.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Error, FnArg, ItemFn, Path, Result, Token};

/// Which attribute.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Http,
    Event,
    Batch,
    Init,
}

impl Kind {
    /// How such a function looks, for errors.
    fn shape(self) -> &'static str {
        match self {
            Self::Http => {
                "`async fn handle(request: Request<Body>) -> wfh::Result<Response<Body>>`"
            }
            Self::Event => "`async fn handle(event: Event<T>) -> wfh::Result<impl IntoReply>`",
            Self::Batch => "`async fn handle(events: Vec<Event<T>>) -> wfh::Result<BatchReply>`",
            Self::Init => "`fn prepare()` or `fn prepare() -> Result<(), E>`",
        }
    }

    fn takes(self) -> usize {
        match self {
            Self::Http | Self::Event | Self::Batch => 1,
            Self::Init => 0,
        }
    }

    fn is_async(self) -> bool {
        !matches!(self, Self::Init)
    }

    fn export(self) -> TokenStream {
        match self {
            Self::Http => quote!(__export_http),
            Self::Event => quote!(__export_event),
            Self::Batch => quote!(__export_batch),
            Self::Init => quote!(__export_init),
        }
    }
}

/// `crate = path`: where the SDK is, when it is not `::wfh`.
pub(crate) struct Arguments {
    sdk: Path,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.is_empty() {
            return Ok(Self { sdk: syn::parse_quote!(::wfh) });
        }
        input.parse::<Token![crate]>().map_err(|error| {
            Error::new(error.span(), "the only argument is `crate = path::to::wfh`")
        })?;
        input.parse::<Token![=]>()?;
        let sdk = input.call(Path::parse_mod_style)?;
        input.parse::<Option<Token![,]>>()?;
        Ok(Self { sdk })
    }
}

pub(crate) fn expand(kind: Kind, arguments: &Arguments, function: &ItemFn) -> Result<TokenStream> {
    check(kind, function)?;
    let (sdk, export, name) = (&arguments.sdk, kind.export(), &function.sig.ident);
    // Natively nothing calls the handler but its tests.
    Ok(quote! {
        #[cfg_attr(not(target_family = "wasm"), allow(dead_code))]
        #function
        #sdk::#export!(#name);
    })
}

fn check(kind: Kind, function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    let wrong = |what: &str| {
        let message = format!("{what}; this attribute stands on {}", kind.shape());
        Err(Error::new_spanned(signature, message))
    };
    if kind.is_async() && signature.asyncness.is_none() {
        return wrong("the function is not `async`");
    }
    if !kind.is_async() && signature.asyncness.is_some() {
        return wrong("the function is `async`, and there is nothing to wait for here");
    }
    if !signature.generics.params.is_empty() {
        return wrong("the function is generic");
    }
    if signature.inputs.iter().any(|input| matches!(input, FnArg::Receiver(_))) {
        return wrong("the function is a method");
    }
    match (signature.inputs.len(), kind.takes()) {
        (takes, expected) if takes == expected => Ok(()),
        (takes, expected) => {
            wrong(&format!("the function takes {takes} arguments, not {expected}"))
        }
    }
}
