//! `wfh:function/state`: keys and values of the app. Granted by `allow.state`.

use wasmtime::component::{HasData, Linker, ResourceTable};

use crate::init::Inside;
use crate::sandbox::Sandbox;

mod access;
mod bindings {
    #![allow(missing_docs, unreachable_pub, reason = "generated from wit/function.wit")]
    #![allow(clippy::all, reason = "generated")]

    wasmtime::component::bindgen!({
        path: "../../../wit",
        inline: "
            package wfh:host-state;
            world host { import wfh:function/state@0.1.0; }
        ",
        world: "wfh:host-state/host",
        imports: { default: async },
        require_store_data_send: true,
    });
}

pub(crate) use access::{Access, PAGE_KEYS_MAX, Refused};
use bindings::wfh::function::state as wit;

/// An init runs once for all sandboxes and must not leave traces outside of its snapshot.
const NO_STATE: &str = "init has no state: read and write it in the handler";

/// Who asks for state.
pub(crate) trait AsksState: Send + 'static {
    /// The state, or why not.
    fn state(&self) -> Result<Access, Refused>;
    /// Where its handles are.
    fn handles(&mut self) -> &mut ResourceTable;
}

impl AsksState for Sandbox {
    fn state(&self) -> Result<Access, Refused> {
        let granted = self.function.config.state;
        let store = self.function.capabilities.state.clone().filter(|_| granted);
        store.map(Access).ok_or(Refused::Denied)
    }

    fn handles(&mut self) -> &mut ResourceTable {
        self.table()
    }
}

impl AsksState for Inside {
    fn state(&self) -> Result<Access, Refused> {
        Err(Refused::Unavailable(NO_STATE.to_owned()))
    }

    fn handles(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

pub(crate) fn add_to_linker<T: AsksState>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    wit::add_to_linker::<T, State>(linker, |data| State(data.state()))
}

/// The interface of one caller.
struct State(Result<Access, Refused>);

impl HasData for State {
    type Data<'a> = Self;
}

impl State {
    fn granted(&self) -> Result<Access, wit::Error> {
        self.0.clone().map_err(wit::Error::from)
    }
}

impl From<Refused> for wit::Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Denied => Self::Denied,
            Refused::Invalid(detail) => Self::Invalid(detail),
            Refused::Unavailable(detail) => Self::Unavailable(detail),
        }
    }
}

impl wit::Host for State {
    async fn get(&mut self, key: String) -> Result<Option<wit::Entry>, wit::Error> {
        let entry = self.granted()?.get(&key).await?;
        Ok(entry.map(|entry| wit::Entry { value: entry.value.into(), version: entry.version }))
    }

    async fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
    ) -> Result<u64, wit::Error> {
        Ok(self.granted()?.set(&key, value, ttl_ms).await?)
    }

    async fn compare_and_set(
        &mut self,
        key: String,
        expected: Option<u64>,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
    ) -> Result<Option<u64>, wit::Error> {
        Ok(self.granted()?.compare_and_set(&key, expected, value, ttl_ms).await?)
    }

    async fn delete(&mut self, key: String) -> Result<bool, wit::Error> {
        Ok(self.granted()?.delete(&key).await?)
    }

    async fn increment(&mut self, key: String, delta: i64) -> Result<i64, wit::Error> {
        Ok(self.granted()?.increment(&key, delta).await?)
    }

    async fn list_keys(
        &mut self,
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<wit::Page, wit::Error> {
        let page = self.granted()?.list(&prefix, cursor.as_deref(), limit).await?;
        Ok(wit::Page { keys: page.keys, next: page.next })
    }
}
