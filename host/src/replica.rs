//! What this host is called among those that share its servers: a name that stays with its data.

use std::path::Path;

use crate::error::Error;

/// The file in the data directory.
const FILE: &str = "replica";

/// Reads the name, or makes one up and keeps it.
pub(crate) fn name(data_dir: &Path) -> Result<String, Error> {
    let path = data_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(name) if is_name(name.trim()) => return Ok(name.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::file(&path, error)),
    }
    let name = wfh_invoke::new_invocation_id().to_string().to_lowercase();
    let written = std::fs::create_dir_all(data_dir).and_then(|()| std::fs::write(&path, &name));
    written.map_err(|error| Error::file(&path, error))?;
    Ok(name)
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_name_stays_and_a_broken_one_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let first = name(directory.path()).unwrap();
        assert_eq!(name(directory.path()).unwrap(), first);
        std::fs::write(directory.path().join(FILE), "\0 no name").unwrap();
        let second = name(directory.path()).unwrap();
        assert!(is_name(&second) && second != first);
    }
}
