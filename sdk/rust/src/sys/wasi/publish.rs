//! `wfh:function/publish`

use super::convert;
use crate::Outgoing;
use crate::bindings::publish::{self as wit};
use crate::publish::Error;

pub(crate) fn send(outgoing: Outgoing) -> Result<String, Error> {
    if outgoing.key.is_none() && outgoing.headers.is_empty() && outgoing.delay.is_none() {
        return wit::send(&outgoing.target, &convert::event(outgoing.event)).map_err(failed);
    }
    // Only a batch carries a key, headers and a delay.
    let ids = send_batch(vec![outgoing])?;
    let lost = || Error::Unavailable("the host gave no id".to_owned());
    ids.into_iter().next().ok_or_else(lost)
}

pub(crate) fn send_batch(outgoing: Vec<Outgoing>) -> Result<Vec<String>, Error> {
    let messages: Vec<_> = outgoing.into_iter().map(convert::outgoing).collect();
    wit::send_batch(&messages).map_err(failed)
}

fn failed(error: wit::Error) -> Error {
    match error {
        wit::Error::Denied(why) => Error::Denied(why),
        wit::Error::Invalid(why) => Error::Invalid(why),
        wit::Error::Full(why) => Error::Full(why),
        wit::Error::Unavailable(why) => Error::Unavailable(why),
    }
}
