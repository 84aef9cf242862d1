//! The scripts. A server keeps them by their hash; one that lost them is given them again.

use std::sync::LazyLock;

use redis::Script;

macro_rules! script {
    ($head:literal, $($part:literal),+) => {
        LazyLock::new(|| Script::new(concat!($head, $(include_str!(concat!("lua/", $part))),+)))
    };
}

/// Reads.
pub(crate) static READ: LazyLock<Script> =
    script!("#!lua flags=no-writes\n", "common.lua", "read.lua");

/// Writes. Refused before it begins when the server's memory is full, so never half-way.
pub(crate) static WRITE: LazyLock<Script> =
    script!("#!lua\n", "common.lua", "undo.lua", "kv.lua", "queue.lua", "write.lua");

/// The same for what makes room or needs next to none: a full server can be drained.
pub(crate) static DRAIN: LazyLock<Script> = script!(
    "#!lua flags=allow-oom\n",
    "common.lua",
    "undo.lua",
    "kv.lua",
    "queue.lua",
    "write.lua"
);
