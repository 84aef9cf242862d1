//! The guests of `guest-examples/`, built once a run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The component of a guest; `-` in its name is `_` here.
pub(crate) fn guest(name: &str) -> PathBuf {
    let path = directory().join(format!("{name}.wasm"));
    assert!(path.is_file(), "there is no guest {}: see guest-examples/", path.display());
    path
}

/// Where `guest-examples/` is.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-examples").canonicalize().unwrap()
}

fn directory() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

/// Nothing to do for cargo when `make guests` ran before.
fn build() -> PathBuf {
    let workspace = examples();
    cargo_build(&workspace, &[]);
    let apart = ["--manifest-path", "sdk-p3/Cargo.toml", "--workspace", "--target-dir", "target"];
    cargo_build(&workspace, &apart);
    workspace.join("target/wasm32-wasip2/release")
}

fn cargo_build(workspace: &Path, more: &[&str]) {
    let built = Command::new("cargo")
        .args(["build", "--release", "--quiet"])
        .args(more)
        .current_dir(workspace)
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo, which builds the guests, cannot be run");
    assert!(
        built.status.success(),
        "the guests do not build; try `make guests`:\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
}

/// A JPEG.
pub(crate) fn picture() -> bytes::Bytes {
    std::fs::read(examples().join("thumbnail/picture.jpg")).unwrap().into()
}
