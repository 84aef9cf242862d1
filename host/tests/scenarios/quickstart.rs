//! The README's first minute, typed word for word in an empty folder.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::templates::typed;

/// Of a first build, with nothing compiled before.
const BUILD_MAX: Duration = Duration::from_secs(300);
/// What the README promises after the compiler's end.
const LIVE_WITHIN: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(10);

/// The commands of the section, a block each.
fn blocks() -> Vec<String> {
    let readme = include_str!("../../../README.md");
    let section = readme.split("## A first function in 60 seconds\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().trim().to_owned()).collect()
}

/// The terminal in which the host runs.
struct Terminal {
    child: Child,
    lines: Receiver<(Instant, String)>,
}

impl Terminal {
    fn open(directory: &Path, line: &str) -> Self {
        use std::os::unix::process::CommandExt;
        let mut command = typed(directory, line);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Waits for a line; says when it came.
    fn says(&self, part: &str, within: Duration) -> Instant {
        let give_up = Instant::now() + within;
        let mut seen = String::new();
        loop {
            let left = give_up.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok((at, line)) if line.contains(part) => return at,
                Ok((_, line)) => seen += &format!("{line}\n"),
                Err(error) => panic!("the host never says {part:?} ({error}):\n{seen}"),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

fn output(directory: &Path, line: &str) -> String {
    let output = typed(directory, line).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn the_readmes_first_minute_works_word_for_word() {
    let blocks = blocks();
    let [install, first, call, edit, rest @ ..] = blocks.as_slice() else {
        panic!("the README's first minute lacks steps: {blocks:?}")
    };
    assert!(install.contains("cargo install"), "{install}");
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::open(folder.path(), first);
    terminal.says("Serving HTTP on http://127.0.0.1:3000/", BUILD_MAX);
    let project = folder.path().join("hello");
    assert_eq!(output(&project, call), "hello, world\n");

    let again = "sed -i 's/hello, wasm/hello, again/' src/lib.rs".to_owned();
    for (edit, expected) in [(edit, "hello, wasm\n"), (&again, "hello, again\n")] {
        output(&project, edit);
        let compiled = terminal.says("Finished", BUILD_MAX);
        while output(&project, call) != expected {
            assert!(
                compiled.elapsed() < LIVE_WITHIN,
                "an edit is not live {LIVE_WITHIN:?} after its compile"
            );
            std::thread::sleep(POLL);
        }
        assert!(compiled.elapsed() < LIVE_WITHIN, "live only after {:?}", compiled.elapsed());
    }
    for line in rest {
        let typed = typed(&project, line).output().unwrap();
        assert!(
            typed.status.success(),
            "`{line}` fails: {}",
            String::from_utf8_lossy(&typed.stderr)
        );
        assert!(!typed.stdout.is_empty(), "`{line}` prints nothing");
    }
}
