use super::*;

fn project(files: &[&str]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for file in files {
        write(&directory, file, "1");
    }
    directory
}

fn write(directory: &tempfile::TempDir, file: &str, content: &str) {
    let path = directory.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn globs(directory: &tempfile::TempDir, globs: &[&str]) -> Sources {
    let mut sources = Sources::new(directory.path());
    for glob in globs {
        sources.add(glob).unwrap();
    }
    sources
}

/// Whether changing `file` changes the digest, and is noticed.
fn counts(directory: &tempfile::TempDir, sources: &Sources, file: &str) -> bool {
    let before = sources.digest().unwrap();
    write(directory, file, "2");
    let changed = sources.digest().unwrap() != before;
    let noticed = sources.may_hold(&fs::canonicalize(directory.path()).unwrap().join(file));
    assert_eq!(changed, noticed, "{file} is built from, or watched, but not both");
    changed
}

#[test]
fn globs_say_what_counts() {
    let directory = project(&["src/lib.rs", "src/a/b.rs", "src/a/note.txt", "Cargo.toml", "x.rs"]);
    let sources = globs(&directory, &["src/**/*.rs", "Cargo.toml"]);
    for file in ["src/lib.rs", "src/a/b.rs", "Cargo.toml", "src/new/c.rs"] {
        assert!(counts(&directory, &sources, file), "{file} is not built from");
    }
    for file in ["src/a/note.txt", "x.rs", "target/src/lib.rs", "Cargo.lock"] {
        assert!(!counts(&directory, &sources, file), "{file} is built from");
    }
}

#[test]
fn without_globs_everything_counts_but_clutter() {
    let directory = project(&["wfh.toml", "app.wasm", "app.js"]);
    let mut sources = Sources::new(directory.path());
    sources
        .everything_but(vec![directory.path().join("wfh.toml"), directory.path().join("app.wasm")]);
    for file in ["app.js", "wit/world.wit", "lib/deep/a.js"] {
        assert!(counts(&directory, &sources, file), "{file} is not built from");
    }
    for file in [
        "wfh.toml",
        "app.wasm",
        "wfh.log",
        "node_modules/a/index.js",
        ".git/HEAD",
        ".wfh/build/x",
        "target/release/app",
        ".app.js.swp",
        "app.js~",
    ] {
        assert!(!counts(&directory, &sources, file), "{file} is built from");
    }
}

#[test]
fn a_glob_may_leave_the_directory() {
    let directory = project(&["app/wfh.toml", "common/src/lib.rs"]);
    let mut sources = Sources::new(&directory.path().join("app"));
    sources.add("../common/**/*.rs").unwrap();
    assert!(counts(&directory, &sources, "common/src/lib.rs"));
    let watched = sources.directories();
    assert!(watched.iter().any(|path| path.ends_with("common/src")), "{watched:?}");
}

#[test]
fn what_is_not_there_yet_is_waited_for() {
    let directory = project(&["wfh.toml"]);
    let sources = globs(&directory, &["src/**/*.rs"]);
    let root = fs::canonicalize(directory.path()).unwrap();
    assert_eq!(sources.directories(), BTreeSet::from([root.clone()]));
    fs::create_dir(root.join("src")).unwrap();
    assert!(sources.may_hold(&root.join("src")), "a new directory goes unnoticed");
}

#[test]
fn what_is_no_glob_is_refused() {
    let mut sources = Sources::new(Path::new("."));
    for glob in ["src/[a", "src/{a"] {
        assert!(sources.add(glob).is_err(), "{glob} is taken");
    }
}

#[test]
fn a_renamed_or_removed_file_is_a_change() {
    let directory = project(&["src/a.rs", "src/b.rs"]);
    let sources = globs(&directory, &["src/*.rs"]);
    let before = sources.digest().unwrap();
    fs::rename(directory.path().join("src/b.rs"), directory.path().join("src/c.rs")).unwrap();
    let renamed = sources.digest().unwrap();
    assert_ne!(before, renamed);
    fs::remove_file(directory.path().join("src/c.rs")).unwrap();
    assert_ne!(renamed, sources.digest().unwrap());
}
