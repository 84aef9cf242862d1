//! Build commands: `wfh build`, and `serve --watch` that builds.

use std::fs;
use std::time::Duration;

use crate::support::{Ended, Host, Setup, eventually, guest};

const HELLO: &str = "hello, world\n";
const OTHER: &str = "the body was not read\n";
/// Stands for a compiler: `src/which` says what becomes of it, `runs` counts.
const COMPILER: &str = r#"
echo run >> runs
which=$(cat src/which)
echo "compiling $which"
case "$which" in
  broken) echo "error[E0425]: cannot find value" >&2; exit 101 ;;
  nothing) exit 0 ;;
  slow*) sleep 100 & echo $! > child; wait ;;
esac
cp "$which.wasm" f.wasm.new && mv f.wasm.new f.wasm
"#;

fn project(which: &str) -> Setup {
    let copy = |name: &str| fs::read(guest(name)).unwrap();
    Setup::new()
        .file("compile.sh", COMPILER)
        .file("src/which", which)
        .file("hello.wasm", copy("hello"))
        .file("other.wasm", copy("never_read_body"))
        .toml(
            "[function.f]\ncomponent = \"f.wasm\"\n[function.f.build]\ncommand = \"sh compile.sh\"\n\
             watch = [\"src/**\"]",
        )
        .route("/f", "f", "")
}

async fn build(setup: &Setup) -> Ended {
    setup.run_here(&["build"]).await
}

fn runs(directory: &std::path::Path) -> usize {
    fs::read_to_string(directory.join("runs")).map_or(0, |runs| runs.lines().count())
}

async fn answers(host: &Host, text: &str) {
    let invariant = format!("/f answers {text:?} after a change");
    eventually(&invariant, async || host.get("/f").await.text() == text).await;
}

#[tokio::test]
async fn build_runs_what_changed_and_compiles() {
    let setup = project("hello");
    let first = build(&setup).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.stdout.contains("functions: 1, commands: 1, unchanged: 0"), "{first:?}");
    for part in ["building f: sh compile.sh", "compiling hello", "compiled f"] {
        assert!(first.stderr.contains(part), "no {part:?} in {}", first.stderr);
    }
    assert!(
        !first.stdout.contains("compiling hello"),
        "the compiler's words are among the results"
    );
    let cached = fs::read_dir(setup.path(".wfh/cache")).unwrap().count();
    assert!(cached > 0, "nothing is compiled ahead of time");
    let again = build(&setup).await;
    assert!(again.stdout.contains("commands: 0, unchanged: 1"), "{again:?}");
    assert_eq!(runs(&setup.path("")), 1, "what has not changed is built again");
    fs::write(setup.path("src/which"), "other").unwrap();
    fs::write(setup.path("note"), "not built from").unwrap();
    assert!(build(&setup).await.stdout.contains("commands: 1"));
    fs::remove_file(setup.path("f.wasm")).unwrap();
    assert!(build(&setup).await.stdout.contains("commands: 1"), "a missing component stays so");
    assert_eq!(runs(&setup.path("")), 3);
}

#[tokio::test]
async fn functions_that_share_a_command_are_built_once() {
    let setup = project("hello")
        .toml("[function.g]\ncomponent = \"f.wasm\"\nbuild.command = \"sh compile.sh\"");
    let built = build(&setup).await;
    assert!(built.stdout.contains("functions: 2, commands: 1"), "{built:?}");
    assert_eq!(runs(&setup.path("")), 1, "a shared command runs more than once");
}

#[tokio::test]
async fn a_failed_build_shows_the_compilers_words_and_names_the_function() {
    let broken = build(&project("broken")).await;
    assert_eq!((broken.code, broken.stdout.as_str()), (Some(1), ""), "{broken:?}");
    for part in ["error[E0425]: cannot find value", "WFH-1040", "function.f.build.command", "101"] {
        assert!(broken.stderr.contains(part), "no {part:?} in {}", broken.stderr);
    }
    let nothing = build(&project("nothing")).await;
    for part in ["WFH-1040", "succeeded but left no", "f.wasm"] {
        assert!(nothing.stderr.contains(part), "no {part:?} in {}", nothing.stderr);
    }
}

#[tokio::test]
async fn secrets_and_directories_are_not_needed_to_build() {
    let setup = project("hello").toml(
        "[function.g]\ncomponent = \"hello.wasm\"\nsecret.KEY = { env = \"NOT_SET_HERE\" }\n\
         allow.files = [{ host = \"nowhere\", guest = \"/x\" }]",
    );
    let built = build(&setup).await;
    assert_eq!(built.code, Some(0), "{built:?}");
}

#[tokio::test]
async fn serve_without_watch_builds_nothing() {
    let refused = project("hello").serve_refused().await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for part in ["WFH-1002", "f.wasm", "wfh build"] {
        assert!(refused.stderr.contains(part), "no {part:?} in {}", refused.stderr);
    }
}

#[tokio::test]
async fn watch_builds_before_it_serves_and_at_every_edit() {
    let host = project("hello").arg("--watch").serve().await;
    assert_eq!(host.get("/f").await.text(), HELLO);
    fs::write(host.path("src/which"), "other").unwrap();
    answers(&host, OTHER).await;
    assert_eq!(runs(&host.path("")), 2, "an edit is built more than once");
    fs::write(host.path("note"), "not built from").unwrap();
    fs::create_dir(host.path("src/new")).unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(runs(&host.path("")), 2, "what is not built from is built");
    fs::write(host.path("src/new/file"), "one more").unwrap();
    eventually("a file in a new directory is noticed", async || runs(&host.path("")) == 3).await;
}

#[tokio::test]
async fn a_build_that_fails_keeps_the_old_version() {
    let host = project("hello").arg("--watch").serve().await;
    fs::write(host.path("src/which"), "broken").unwrap();
    host.says("build failed, the old version goes on serving").await;
    host.says("error[E0425]: cannot find value").await;
    assert_eq!(host.get("/f").await.text(), HELLO, "a failed build takes the function away");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(runs(&host.path("")), 2, "what failed is built again though nothing changed");
    fs::write(host.path("src/which"), "other").unwrap();
    answers(&host, OTHER).await;
}

#[tokio::test]
async fn a_first_build_that_fails_serves_what_was_built_before_if_there_is_any() {
    let refused = project("broken").arg("--watch").serve_refused().await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("error[E0425]"), "{refused:?}");
    let older = project("broken").file("f.wasm", fs::read(guest("hello")).unwrap());
    let host = older.arg("--watch").serve().await;
    assert_eq!(host.get("/f").await.text(), HELLO);
    host.says("the version built before serves").await;
}

#[tokio::test]
async fn an_edit_during_a_build_is_followed_by_one_more() {
    let compiler = COMPILER.replace("slow*)", "hello) sleep 1 ;;\n  slow*)");
    let host = project("other").file("compile.sh", compiler).arg("--watch").serve().await;
    fs::write(host.path("src/which"), "hello").unwrap();
    eventually("the build begins", async || runs(&host.path("")) == 2).await;
    for turn in 0..5 {
        fs::write(host.path("src/more"), turn.to_string()).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    eventually("the edits meanwhile are built", async || runs(&host.path("")) == 3).await;
    answers(&host, HELLO).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(runs(&host.path("")), 3, "five edits during a build are more than one build");
}

#[tokio::test]
async fn a_stop_signal_ends_the_running_build() {
    let mut host = project("hello").arg("--watch").serve().await;
    fs::write(host.path("src/which"), "slow").unwrap();
    eventually("the build runs", async || host.path("child").is_file()).await;
    let child = fs::read_to_string(host.path("child")).unwrap();
    host.signal(rustix::process::Signal::TERM);
    let ended = host.ends().await;
    assert_eq!(ended.code(), Some(0), "a running build keeps the host from stopping");
    let state = fs::read_to_string(format!("/proc/{}/stat", child.trim()));
    assert!(!state.is_ok_and(|state| !state.contains(") Z ")), "the build outlives the host");
}

#[tokio::test]
async fn a_build_that_changes_its_own_sources_ends() {
    let compiler = format!("{COMPILER}\ndate +%N >> src/generated\n");
    let host = project("hello").file("compile.sh", compiler).arg("--watch").serve().await;
    host.says("the build changes files that it is watched for").await;
    let built = runs(&host.path(""));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(runs(&host.path("")), built, "a build goes on and on");
    assert_eq!(host.get("/f").await.text(), HELLO);
}

#[tokio::test]
async fn what_is_no_glob_is_an_error_of_the_manifest() {
    let manifest = "[app]\nname = \"a\"\n[function.f]\ncomponent = \"f.wasm\"\n\
                    build = { command = \"true\", watch = [\"src/[a\"] }\n";
    let built = build(&Setup::new().manifest(manifest)).await;
    assert_eq!(built.code, Some(1), "{built:?}");
    for part in ["WFH-1001", "wfh.toml:5:", "function.f.build.watch[0]", "src/[a"] {
        assert!(built.stderr.contains(part), "no {part:?} in {}", built.stderr);
    }
}
