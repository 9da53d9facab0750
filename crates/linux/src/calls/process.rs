//! The life of a process: executing a program, exiting, waiting for the exit.

use crate::call::{Answer, Arg, Call};

/// A state change as waitid(2) reports it; `code` is one of CLD_*, 0 where nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChildState {
    /// CLD_EXITED, CLD_KILLED, CLD_DUMPED, CLD_TRAPPED, CLD_STOPPED, CLD_CONTINUED.
    pub code: i32,
    /// Exit code, or the signal.
    pub status: i32,
    /// The pid, in the pid namespace of the process that waits.
    pub pid: i32,
    /// Real user id of the process.
    pub uid: u32,
}

impl ChildState {
    /// True when the process has ended, so that no other change follows.
    pub fn ended(&self) -> bool {
        matches!(self.code, libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED)
    }

    /// True when waitid(2) with these options may report this.
    pub(crate) fn answers(&self, options: i32) -> bool {
        let asked = |option: i32| options & option != 0;
        self.pid > 0
            && match self.code {
                libc::CLD_EXITED => asked(libc::WEXITED) && (0..=255).contains(&self.status),
                libc::CLD_KILLED | libc::CLD_DUMPED => asked(libc::WEXITED) && (1..=127).contains(&self.status),
                libc::CLD_STOPPED => asked(libc::WSTOPPED),
                libc::CLD_CONTINUED => asked(libc::WCONTINUED),
                // A tracer is told of these without asking, but not of a process that has ended.
                libc::CLD_TRAPPED => asked(libc::WSTOPPED | libc::WCONTINUED),
                _ => false,
            }
    }

    /// Reads the `status` of waitpid(2).
    pub fn from_wait_status(pid: i32, status: i32) -> Self {
        let (code, status) = if libc::WIFEXITED(status) {
            (libc::CLD_EXITED, libc::WEXITSTATUS(status))
        } else if libc::WCOREDUMP(status) {
            (libc::CLD_DUMPED, libc::WTERMSIG(status))
        } else {
            (libc::CLD_KILLED, libc::WTERMSIG(status))
        };
        ChildState { code, status, pid, uid: 0 }
    }
}

/// `execve(path, …)`, without its two arrays.
pub(crate) fn execve(path: &[u8]) -> Call<()> {
    Call::new("execve", libc::SYS_execve).path(path)
}

/// `execveat(fd, "", …)`, without its two arrays and its flags.
pub(crate) fn execveat(fd: i32) -> Call<()> {
    Call::new("execveat", libc::SYS_execveat).fd(fd).string(b"")
}

/// `exit_group(code)`.
pub fn exit_group(code: i32) -> Call<()> {
    Call::new("exit_group", libc::SYS_exit_group).number(code)
}

/// What waitid(2) returned: the state change and `struct rusage`, or nothing yet.
pub type Waited = Option<(ChildState, Vec<i64>)>;

/// `waitid(idtype, id, &info, options, &usage)`, the raw call with its fifth argument.
pub fn waitid(idtype: u32, id: i32, options: i32) -> Call<Waited> {
    waiting(idtype, Arg::Number(id as i64 as u64), options)
}

/// [`waitid`] by a pidfd that goes with the message.
pub fn waitid_passed(index: u32, options: i32) -> Call<Waited> {
    waiting(libc::P_PIDFD, Arg::Passed(index), options)
}

fn waiting(idtype: u32, id: Arg, options: i32) -> Call<Waited> {
    Call::new("waitid", libc::SYS_waitid)
        .number(idtype)
        .arg(id)
        .output(INFO)
        .number(options)
        .output(USAGE)
        .value(read_waited)
}

/// Adds the two outputs that say how a process ended, and reads them; and room for how others did.
pub(crate) fn ended(call: Call<()>) -> Call<Waited> {
    call.output(INFO).output(USAGE).reserve(INFO).value(read_waited)
}

/// The kernel's `siginfo_t`.
const INFO: usize = 128;
/// The kernel's `struct rusage`: two times and fourteen numbers. The struct of musl is longer than what the kernel writes.
const USAGE: usize = 144;

/// Reads what waitid(2) has written; `None` where it had nothing to report.
pub(crate) fn read_waited(answer: &Answer) -> Waited {
    let int = |at| answer.u32(at) as i32;
    // siginfo_t: si_signo, si_errno, si_code, padding, si_pid, si_uid, si_status.
    let state = ChildState { code: int(8), pid: int(16), uid: answer.u32(20), status: int(24) };
    let long = |index: usize| answer.u64(INFO + 8 * index) as i64;
    // A hostile task may have written any numbers.
    let time = |index: usize| long(index).saturating_mul(1_000_000).saturating_add(long(index + 1));
    let usage = [time(0), time(2)];
    (state.pid != 0).then(|| (state, usage.into_iter().chain((4..18).map(long)).collect()))
}

const _: () = assert!(size_of::<libc::siginfo_t>() == INFO && size_of::<libc::rusage>() >= USAGE);
