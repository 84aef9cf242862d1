//! `allow.*`: what a function may reach.

use std::path::PathBuf;

use wfh_event::{FunctionName, Target};

use crate::grant::HttpGrant;
use crate::read::{Node, Reader, table};

table! {
    /// What a function may reach; nothing by default.
    #[check(rules)]
    pub struct Allow: Default {
        /// Where it may send HTTP requests.
        http: Vec<HttpGrant>,
        /// Directories of the host that it sees.
        files: Vec<FileGrant>,
        /// Targets that it may send and emit to.
        send: Vec<Target>,
        /// Functions that it may call as `http://NAME.wfh.internal/`.
        invoke: Vec<FunctionName>,
        /// Whether it may keep state in the store.
        state: bool = false,
    }
}

table! {
    /// A directory of the host that a guest sees.
    #[check(guest_is_absolute)]
    pub struct FileGrant {
        /// The directory, relative to the manifest.
        host: PathBuf,
        /// The absolute path under which the guest sees it.
        guest: String,
        /// Whether the guest may change it.
        write: bool = false,
    }
}

fn rules(allow: &Allow, node: &Node<'_>, reader: &mut Reader<'_>) {
    for (index, grant) in allow.files.iter().enumerate() {
        if allow.files.iter().take(index).any(|other| other.guest == grant.guest) {
            let message = format!("{:?} is given to two directories", grant.guest);
            reader.report_at(node, "files", message);
        }
    }
}

fn guest_is_absolute(grant: &FileGrant, node: &Node<'_>, reader: &mut Reader<'_>) {
    let guest = &grant.guest;
    let dots = guest.split('/').any(|segment| matches!(segment, "." | ".."));
    if !guest.starts_with('/') || dots || guest.contains('\0') {
        let message = format!("{guest:?} is not an absolute path without `.` and `..`");
        reader.report_at(node, "guest", message);
    }
}
