//! `wasi:config/store`

use crate::bindings::store;
use crate::config::Error;

pub(crate) fn get(key: &str) -> Result<Option<String>, Error> {
    store::get(key).map_err(|error| match error {
        store::Error::Upstream(why) | store::Error::Io(why) => Error(format!("`{key}`: {why}")),
    })
}
