//! The stable codes of everything that can go wrong in sight of a user or an operator.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $title:literal;)*) => {
        /// A stable error code, printed `WFH-nnnn`, with one page each in docs/errors/.
        ///
        /// 1xxx stop a start, 2xxx end an invocation, 3xxx are answered before one begins, 4xxx are the
        /// admin API's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The text form, `WFH-nnnn`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("WFH-", stringify!($number)),)*
                }
            }

            /// A short title that holds for every occurrence (the `title` of problem+json).
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }
        }
    };
}

codes! {
    /// The manifest has errors.
    ManifestInvalid = 1001, "The manifest is not valid";
    /// A file that the manifest or the command line names cannot be read.
    FileUnreadable = 1002, "A file cannot be read";
    /// The component exports nothing that a trigger could call.
    NoHandler = 1003, "The component exports no handler";
    /// The component does not compile.
    ComponentInvalid = 1004, "The component does not compile";
    /// The component imports something that this host does not offer or the manifest does not grant.
    ImportUnsatisfied = 1005, "The component imports what it is not given";
    /// The function that runs before the snapshot failed.
    InitFailed = 1006, "The function's init failed";
    /// An address cannot be bound.
    BindFailed = 1007, "The address cannot be bound";
    /// The machine does not give what the instance pool needs.
    PoolTooLarge = 1008, "The instance pool does not fit this machine";
    /// The certificate or its key cannot be used.
    TlsInvalid = 1009, "The certificate or key cannot be used";
    /// A secret has no value.
    SecretMissing = 1010, "A secret has no value";
    /// The data directory cannot be used.
    DataDirectory = 1011, "The data directory cannot be used";
    /// The component imports something that this host or build does not offer.
    NotOffered = 1012, "This host does not offer what the component imports";
    /// The admin address is reachable from elsewhere and has no token.
    AdminTokenMissing = 1013, "The admin address needs a token";
    /// Telemetry cannot be exported as it was asked for.
    TelemetryInvalid = 1014, "Telemetry cannot be exported";
    /// A build command failed.
    BuildFailed = 1040, "A build command failed";
    /// An export or import of the store stopped.
    StoreMove = 1050, "The store could not be moved";
    /// The server that keeps the store cannot be used.
    StoreServer = 1051, "The store's server cannot be used";

    /// See [`crate::FailureClass::Invalid`].
    Invalid = 2001, "The event is not valid";
    /// See [`crate::FailureClass::Rejected`].
    Rejected = 2002, "The function rejected the event";
    /// See [`crate::FailureClass::Guest`].
    Guest = 2003, "The function asked to be called later";
    /// See [`crate::FailureClass::Trap`].
    Trap = 2004, "The function failed";
    /// See [`crate::FailureClass::Timeout`].
    Timeout = 2005, "The function did not answer in time";
    /// See [`crate::FailureClass::MemoryLimit`].
    MemoryLimit = 2006, "The function reached a memory limit";
    /// See [`crate::FailureClass::TooLarge`].
    TooLarge = 2007, "The payload is too large";
    /// See [`crate::FailureClass::Conflict`].
    Conflict = 2008, "An equal call is in flight";
    /// See [`crate::FailureClass::Mismatch`].
    Mismatch = 2009, "The key was used with another payload";
    /// See [`crate::FailureClass::Busy`].
    Busy = 2010, "The function is at its limit";
    /// See [`crate::FailureClass::Unavailable`].
    Unavailable = 2011, "The host cannot take the call now";
    /// See [`crate::FailureClass::Cancelled`].
    Cancelled = 2012, "The caller left";
    /// See [`crate::FailureClass::Internal`].
    Internal = 2013, "The host failed";

    /// No route matches the path.
    NoRoute = 3001, "No route matches";
    /// A route matches the path but not the method.
    MethodNotAllowed = 3002, "The route does not take this method";
    /// The request line, its headers or its framing are not acceptable.
    BadRequest = 3003, "The request is not acceptable";

    /// The caller did not show the token.
    AdminToken = 4001, "The admin API needs its token";
    /// The `Host` is foreign, or a page of another site sent the request.
    AdminForeign = 4002, "The request comes from elsewhere";
    /// A parameter, header or cursor is unknown or not valid.
    AdminParameter = 4003, "A parameter is not valid";
    /// What the path names is not there.
    AdminNotFound = 4004, "There is no such thing";
    /// A rate or a count is at its bound.
    AdminTooMany = 4005, "Too many requests to the admin API";
    /// The host is not set up for what was asked.
    AdminNotOffered = 4006, "This host does not offer it";
    /// No host answers where a command looks for its admin API.
    AdminUnreachable = 4007, "The admin API cannot be reached";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique() {
        let texts: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len(), "two error codes share a number");
    }
}
