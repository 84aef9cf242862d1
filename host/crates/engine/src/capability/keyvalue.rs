//! `wasi:keyvalue@0.2.0-draft`: the same state for components of other hosts. Granted by
//! `allow.state`.
//!
//! The bucket `default`, also called by the empty name, holds the keys of `wfh:function/state`; any
//! other bucket `NAME` holds those that begin with `NAME/`.

use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use super::state::{Access, AsksState, PAGE_KEYS_MAX, Refused};

mod bindings {
    #![allow(missing_docs, unreachable_pub, reason = "generated from wit/deps/keyvalue")]
    #![allow(clippy::all, reason = "generated")]

    wasmtime::component::bindgen!({
        path: "../../../wit/deps/keyvalue",
        world: "wasi:keyvalue/imports",
        imports: { default: async | trappable },
        require_store_data_send: true,
        with: { "wasi:keyvalue/store.bucket": super::Bucket },
        trappable_error_type: { "wasi:keyvalue/store.error" => super::Error },
    });
}

use bindings::wasi::keyvalue::{atomics, batch, store};

/// The longest name of a bucket, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// The most pages that a listing through one handle remembers.
const CURSORS_MAX: usize = 1000;
/// The most keys of one batch.
const BATCH_KEYS_MAX: usize = 1000;

/// An open bucket.
#[allow(unreachable_pub, reason = "the generated bindings export it")]
pub struct Bucket {
    prefix: String,
    /// Our cursors are texts, those of this interface numbers: where each page goes on.
    cursors: Vec<String>,
}

/// What a guest sees, or a trap.
#[allow(unreachable_pub, reason = "the generated bindings export it")]
pub enum Error {
    Seen(store::Error),
    Trap(wasmtime::Error),
}

impl From<wasmtime::component::ResourceTableError> for Error {
    fn from(error: wasmtime::component::ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::Seen(match refused {
            Refused::Denied => store::Error::AccessDenied,
            Refused::Invalid(detail) | Refused::Unavailable(detail) => store::Error::Other(detail),
        })
    }
}

fn other(detail: impl Into<String>) -> Error {
    Error::Seen(store::Error::Other(detail.into()))
}

type Result<T> = std::result::Result<T, Error>;

pub(crate) fn add_to_linker<T: AsksState>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    store::add_to_linker::<T, HasKeyvalue>(linker, view)?;
    atomics::add_to_linker::<T, HasKeyvalue>(linker, view)?;
    batch::add_to_linker::<T, HasKeyvalue>(linker, view)
}

fn view<T: AsksState>(data: &mut T) -> Keyvalue<'_> {
    Keyvalue { access: data.state(), table: data.handles() }
}

struct HasKeyvalue;

impl HasData for HasKeyvalue {
    type Data<'a> = Keyvalue<'a>;
}

/// The interface of one caller.
struct Keyvalue<'a> {
    access: std::result::Result<Access, Refused>,
    table: &'a mut ResourceTable,
}

impl Keyvalue<'_> {
    /// The state, and how the bucket calls a key.
    fn find(&self, bucket: &Resource<Bucket>, key: &str) -> Result<(Access, String)> {
        let bucket = self.table.get(bucket)?;
        Ok((self.access.clone()?, format!("{}{key}", bucket.prefix)))
    }
}

/// What the keys of a bucket begin with.
fn prefix(name: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match name {
        "" | "default" => Some(String::new()),
        _ if name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) => None,
        _ => Some(format!("{name}/")),
    }
}

impl store::Host for Keyvalue<'_> {
    async fn open(&mut self, identifier: String) -> Result<Resource<Bucket>> {
        self.access.as_ref().map_err(Clone::clone)?;
        let prefix = prefix(&identifier).ok_or(Error::Seen(store::Error::NoSuchStore))?;
        Ok(self.table.push(Bucket { prefix, cursors: Vec::new() })?)
    }

    fn convert_error(&mut self, error: Error) -> wasmtime::Result<store::Error> {
        match error {
            Error::Seen(error) => Ok(error),
            Error::Trap(error) => Err(error),
        }
    }
}

impl store::HostBucket for Keyvalue<'_> {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>> {
        let (access, key) = self.find(&bucket, &key)?;
        Ok(access.get(&key).await?.map(|entry| entry.value.into()))
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<()> {
        let (access, key) = self.find(&bucket, &key)?;
        access.set(&key, value, None).await?;
        Ok(())
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<()> {
        let (access, key) = self.find(&bucket, &key)?;
        access.delete(&key).await?;
        Ok(())
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<bool> {
        let (access, key) = self.find(&bucket, &key)?;
        Ok(access.get(&key).await?.is_some())
    }

    async fn list_keys(
        &mut self,
        handle: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Result<store::KeyResponse> {
        let access = self.access.clone()?;
        let bucket = self.table.get_mut(&handle)?;
        let from = match cursor {
            None => None,
            Some(number) => {
                let known = usize::try_from(number).ok().and_then(|at| bucket.cursors.get(at));
                Some(known.ok_or_else(|| other("the cursor is not one of this bucket's"))?)
            }
        };
        let page = access.list(&bucket.prefix, from.map(String::as_str), PAGE_KEYS_MAX).await?;
        let strip = |key: String| match key.strip_prefix(&bucket.prefix) {
            Some(rest) => rest.to_owned(),
            None => key,
        };
        let keys = page.keys.into_iter().map(strip).collect();
        let cursor = page.next.map(|next| remember(&mut bucket.cursors, next)).transpose()?;
        Ok(store::KeyResponse { keys, cursor })
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

fn remember(cursors: &mut Vec<String>, next: String) -> Result<u64> {
    if cursors.len() >= CURSORS_MAX {
        return Err(other("too many pages through one handle; open the bucket again"));
    }
    cursors.push(next);
    Ok(cursors.len() as u64 - 1)
}

impl atomics::Host for Keyvalue<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> Result<u64> {
        let (access, key) = self.find(&bucket, &key)?;
        let delta = i64::try_from(delta).map_err(|_| other("delta is larger than 2^63 - 1"))?;
        let sum = access.increment(&key, delta).await?;
        u64::try_from(sum).map_err(|_| other(format!("the key holds {sum}, which is negative")))
    }
}

fn check_batch(keys: usize) -> Result<()> {
    match keys {
        0..=BATCH_KEYS_MAX => Ok(()),
        _ => Err(other(format!("{keys} keys at once; expected {BATCH_KEYS_MAX} at most"))),
    }
}

impl batch::Host for Keyvalue<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>> {
        check_batch(keys.len())?;
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let (access, full) = self.find(&bucket, &key)?;
            let entry = access.get(&full).await?;
            found.push(entry.map(|entry| (key, entry.value.into())));
        }
        Ok(found)
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        key_values: Vec<(String, Vec<u8>)>,
    ) -> Result<()> {
        check_batch(key_values.len())?;
        for (key, value) in key_values {
            let (access, key) = self.find(&bucket, &key)?;
            access.set(&key, value, None).await?;
        }
        Ok(())
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Result<()> {
        check_batch(keys.len())?;
        for key in keys {
            let (access, key) = self.find(&bucket, &key)?;
            access.delete(&key).await?;
        }
        Ok(())
    }
}
