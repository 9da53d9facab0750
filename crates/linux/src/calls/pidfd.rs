//! Process descriptors: pidfd_open(2) and its friends, and waitid(2) by one.

use crate::call::{Answer, Arg, Call};

/// A state change as waitid(2) reports it; `code` is one of CLD_*, 0 where nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChildState {
    /// CLD_EXITED, CLD_KILLED, CLD_DUMPED, CLD_TRAPPED, CLD_STOPPED, CLD_CONTINUED.
    pub code: i32,
    /// Exit code, or the signal.
    pub status: i32,
    /// Whose it is, in the pid namespace of who asked.
    pub pid: i32,
    /// Real user id of the process.
    pub uid: u32,
}

impl ChildState {
    /// Whether nothing follows.
    pub fn ended(&self) -> bool {
        matches!(self.code, libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED)
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

/// `pidfd_open(pid, flags)`: a descriptor that stays bound to one process. Close-on-exec. Linux 5.3.
pub fn pidfd_open(pid: i32, flags: u32) -> Call<i32> {
    Call::new("pidfd_open", libc::SYS_pidfd_open).number(pid).number(flags).descriptor()
}

/// `pidfd_send_signal(pidfd, sig, NULL, flags)`. Linux 5.1.
#[inline(always)] // see `run_inline`
pub fn pidfd_send_signal(pidfd: i32, signal: i32, flags: u32) -> Call<()> {
    Call::new("pidfd_send_signal", libc::SYS_pidfd_send_signal).fd(pidfd).number(signal).number(0).number(flags)
}

/// `pidfd_getfd(pidfd, targetfd, 0)`: a copy of another process's descriptor. Linux 5.6.
pub fn pidfd_getfd(pidfd: i32, fd: i32) -> Call<i32> {
    Call::new("pidfd_getfd", libc::SYS_pidfd_getfd).fd(pidfd).number(fd).number(0).descriptor()
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
        .output(size_of::<libc::rusage>())
        .value(read_waited)
}

/// Adds the two outputs that say how a process ended, and reads them; and room for how others did.
pub(crate) fn ended(call: Call<()>) -> Call<Waited> {
    call.output(INFO).output(size_of::<libc::rusage>()).reserve(INFO).value(read_waited)
}

const INFO: usize = size_of::<libc::siginfo_t>();

/// Reads what waitid(2) has written; `None` where it had nothing to report.
pub(crate) fn read_waited(answer: &Answer) -> Waited {
    let int = |at| answer.u32(at) as i32;
    // siginfo_t: si_signo, si_errno, si_code, padding, si_pid, si_uid, si_status.
    let state = ChildState { code: int(8), pid: int(16), uid: answer.u32(20), status: int(24) };
    let long = |index: usize| answer.u64(size_of::<libc::siginfo_t>() + 8 * index) as i64;
    let usage = [long(0) * 1_000_000 + long(1), long(2) * 1_000_000 + long(3)];
    (state.pid != 0).then(|| (state, usage.into_iter().chain((4..18).map(long)).collect()))
}

/// `ioctl(pidfd, request, arg)` with one of the requests that open a namespace: `arg` has to be 0. Linux 6.11.
pub fn pidfd_namespace(pidfd: i32, request: u32, arg: u32) -> Call<i32> {
    Call::new("ioctl", libc::SYS_ioctl).fd(pidfd).number(request).number(arg).descriptor()
}

/// `ioctl(pidfd, PIDFD_GET_INFO, &info)` with a `struct pidfd_info` of `length` bytes. Linux 6.13.
pub fn pidfd_info(pidfd: i32, mask: u64, length: u32) -> Call<Vec<u8>> {
    let mut info = vec![0; length as usize];
    info[..8].copy_from_slice(&mask.to_ne_bytes());
    let request = 3 << 30 | length << 16 | 0xff << 8 | 11;
    Call::new("ioctl", libc::SYS_ioctl).fd(pidfd).number(request).inout(&info).value(|answer| answer.out.to_vec())
}

/// [`pidfd_info`] for the exit status alone: `None` while the process is not reaped. Linux 6.15.
pub fn exit_status(pidfd: i32) -> Call<Option<i32>> {
    const PIDFD_INFO_EXIT: u64 = 1 << 3;
    pidfd_info(pidfd, PIDFD_INFO_EXIT, 64)
        .reading(|answer| (answer.u64(0) & PIDFD_INFO_EXIT != 0).then(|| answer.u32(60) as i32))
}

const _: () = assert!(size_of::<libc::siginfo_t>() == 128 && size_of::<libc::rusage>() == 144);
