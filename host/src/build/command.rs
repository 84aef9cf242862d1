//! Runs a shell command as a process group that can be ended as a whole.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// What a command that was asked to end may take for it.
const GRACE: Duration = Duration::from_secs(2);

/// Where a command's output goes, standard output too: ours is for results.
pub(crate) enum Output {
    /// Where ours goes.
    Stderr,
    /// A file.
    File(File),
}

/// How a command ended.
#[derive(Debug)]
pub(crate) enum Ending {
    Success,
    Failed(ExitStatus),
    /// [`Runner::stop`] ended it or kept it from starting.
    Stopped,
}

/// Runs one command at a time, and none after [`Runner::stop`].
#[derive(Debug, Default)]
pub(crate) struct Runner {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    /// The group of the running command; its leader is not reaped as long as it stands here.
    group: Option<Pid>,
}

impl Runner {
    /// Runs `command` to its end.
    pub(crate) fn run(
        &self,
        command: &str,
        directory: &Path,
        output: Output,
    ) -> io::Result<Ending> {
        let mut state = self.state();
        if state.stopped {
            return Ok(Ending::Stopped);
        }
        let mut child = spawn(command, directory, output)?;
        let group = Pid::from_child(&child);
        state.group = Some(group);
        drop(state);
        let waited = waitid(WaitId::Pid(group), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        self.reap(&mut child, group, waited.map(drop).map_err(io::Error::from))
    }

    /// Ends the running command: asks, and after a while does not ask any more.
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        for signal in [Signal::TERM, Signal::KILL] {
            let Some(group) = state.group else { return };
            // It may just have ended.
            let _ = kill_process_group(group, signal);
            let waited = self.ended.wait_timeout_while(state, GRACE, |state| state.group.is_some());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The leader has ended but still holds its id, so the group's id is still its own.
    fn reap(&self, child: &mut Child, group: Pid, waited: io::Result<()>) -> io::Result<Ending> {
        let mut state = self.state();
        if state.stopped {
            // What the command left running ends too.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let status = waited.and_then(|()| child.wait());
        state.group = None;
        self.ended.notify_all();
        match status? {
            _ if state.stopped => Ok(Ending::Stopped),
            status if status.success() => Ok(Ending::Success),
            status => Ok(Ending::Failed(status)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spawn(command: &str, directory: &Path, output: Output) -> io::Result<Child> {
    let output = match output {
        Output::Stderr => File::from(io::stderr().as_fd().try_clone_to_owned()?),
        Output::File(file) => file,
    };
    let stderr = output.try_clone()?;
    Command::new("sh")
        .args(["-c", command])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::from(output))
        .stderr(Stdio::from(stderr))
        .process_group(0)
        .spawn()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn run(runner: &Runner, command: &str) -> Ending {
        let null = File::options().write(true).open("/dev/null").unwrap();
        runner.run(command, Path::new("/"), Output::File(null)).unwrap()
    }

    #[test]
    fn the_status_is_told() {
        let runner = Runner::default();
        assert!(matches!(run(&runner, "true"), Ending::Success));
        assert!(
            matches!(run(&runner, "exit 3"), Ending::Failed(status) if status.code() == Some(3))
        );
    }

    #[test]
    fn stop_ends_the_whole_group() {
        let directory = tempfile::tempdir().unwrap();
        let pid = directory.path().join("pid");
        // The shell ignores the question; its child has a child.
        let script =
            format!("trap '' TERM; (sleep 100 & echo $! >{}; wait); sleep 100", pid.display());
        let runner = Runner::default();
        std::thread::scope(|scope| {
            let running = scope.spawn(|| run(&runner, &script));
            let began = Instant::now();
            while std::fs::read_to_string(&pid).map_or(0, |text| text.len()) < 2 {
                assert!(began.elapsed() < Duration::from_secs(10), "the command does not start");
                std::thread::sleep(Duration::from_millis(5));
            }
            runner.stop();
            assert!(matches!(running.join().unwrap(), Ending::Stopped));
        });
        let child = std::fs::read_to_string(&pid).unwrap();
        let state = std::fs::read_to_string(format!("/proc/{}/stat", child.trim()));
        let alive = state.is_ok_and(|state| !state.contains(") Z "));
        assert!(!alive, "a process of the build outlives it");
        assert!(matches!(run(&runner, "true"), Ending::Stopped), "a build starts after the stop");
    }
}
