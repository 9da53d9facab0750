//! The supervisor: a task that waits for the end of a program instead of running sequences, reaps, and then kills the
//! processes that the program has left behind.

use crate::kernel::{self, syscall};
use crate::wire;
use core::mem::MaybeUninit;

const P_PID: u64 = 1;
const WSTOPPED: u64 = 2;
const WEXITED: u64 = 4 | 0x4000_0000; // and __WALL
const WNOHANG: u64 = 1;
const WNOWAIT: u64 = 0x0100_0000;
const POLLIN: u64 = 1 << 32; // in a struct pollfd
const SIGCHLD: u32 = 17;
const SI_KERNEL: u32 = 0x80;
const SI_PID: u64 = 16;
const DIRECTORY_CLOEXEC: u64 = if cfg!(target_arch = "x86_64") { 0o2200000 } else { 0o2040000 };
const NO_XDEV: u64 = 1; // RESOLVE_NO_XDEV
/// Length of a `siginfo_t`.
pub const INFO: u64 = 128;
/// Length of a `struct rusage`.
pub const USAGE: u64 = 144;

/// See [`wire::SUPERVISE`].
pub fn supervise(channel: u64, [program, signals, children, proc, info, usage]: [u64; 6]) -> i64 {
    let which = if program & wire::ENDS_STOPPED == 0 { WEXITED } else { WEXITED | WSTOPPED } | WNOHANG;
    let program = program & !wire::ENDS_STOPPED;
    // True when the program's status is known, or when the program is no child of this process any more, so that no one can
    // learn the status.
    // SAFETY: waitid(2) gets no address, and so touches no memory.
    let mut known = unsafe { syscall(kernel::WAITID, [P_PID, program, 0, WEXITED | WNOHANG | WNOWAIT, 0, 0]) } < 0;
    let mut over = known;
    loop {
        // Reaps every child that has ended: the program, and orphans that this process has adopted. An orphan's status goes to
        // other memory than the program's.
        let left = loop {
            let (info, usage) = if known { (usage + USAGE, 0) } else { (info, usage) };
            let ended = (info + SI_PID) as *mut u32;
            // SAFETY: `check` has found room for the struct in the blob of the sequence, and that it is aligned.
            unsafe { *ended = 0 };
            // SAFETY: `check` has found room for both structs that the kernel writes.
            let result = unsafe { syscall(kernel::WAITID, [0, 0, info, which, usage, 0]) };
            // SAFETY: as for the write to `ended`. `si_code` lies two words before `si_pid`, in the same struct.
            match unsafe { (*ended, *ended.sub(2)) } {
                _ if result < 0 => break false,
                (0, _) => break true,
                (pid, 5) => over |= pid as u64 == program, // CLD_STOPPED
                (pid, _) => known |= pid as u64 == program,
            }
        };
        if over || known {
            // Children that belong to another user by now may not be killed, and are not waited for.
            if !left || !kill_children(children, proc) {
                return 0;
            }
            // With WNOWAIT, the child that has ended is left for the loop above.
            // SAFETY: waitid(2) gets no address, and so touches no memory.
            unsafe { syscall(kernel::WAITID, [0, 0, 0, WEXITED | WNOWAIT, 0, 0]) };
            continue;
        }
        // Two structs pollfd (fd, events, revents), and one struct signalfd_siginfo (signo, errno, code, …). The first struct
        // begins with POLLNVAL in `revents`, which stays there if ppoll(2) fails: it needs a limit of two open files.
        let mut polls = [channel | POLLIN | 1 << 53, signals | POLLIN];
        let mut signal = [0u32; 32];
        // SAFETY: both arrays lie in this frame, and outlive the calls.
        unsafe {
            syscall(kernel::PPOLL, [polls.as_mut_ptr() as u64, 2, 0, 0, 0, 0]);
            syscall(kernel::READ, [signals, signal.as_mut_ptr() as u64, 128, 0, 0, 0]);
        }
        // The channel has ended, or one of the two descriptors is none. A supervisor that cannot wait would use a whole CPU,
        // and not notice the end of Node.
        over = (polls[0] >> 48 | polls[1] >> 49) != 0;
        // A signal from a terminal goes to the whole foreground group, so the program has got it too.
        if signal[0] != 0 && signal[0] != SIGCHLD && signal[2] != SI_KERNEL {
            // The program has not been reaped, so the pid cannot belong to another process.
            // SAFETY: kill(2) takes numbers.
            unsafe { syscall(kernel::KILL, [program, signal[0] as u64, 0, 0, 0, 0]) };
        }
    }
}

/// Sends SIGKILL to all children, and returns whether at least one could be sent it.
fn kill_children(list: u64, proc: u64) -> bool {
    // A pid is that of a child which was not reaped. -1 means all processes that a process 1 sees but itself.
    // SAFETY: kill(2) takes numbers.
    let kill = |pid: u64| unsafe { syscall(kernel::KILL, [pid, 9, 0, 0, 0, 0]) == 0 };
    if list as i32 == -1 {
        // SAFETY: getpid(2) takes nothing.
        return unsafe { syscall(kernel::GETPID, [0; 6]) } == 1 && kill(u64::MAX);
    }
    // The list has a space after each number.
    let mut text = MaybeUninit::<[u8; 4096]>::uninit();
    // SAFETY: the kernel writes no more bytes than the buffer has.
    let length = unsafe { syscall(kernel::PREAD64, [list, text.as_mut_ptr() as u64, 4096, 0, 0, 0]) };
    let (mut pid, mut begin, mut any) = (0, 0, false);
    for index in 0..if length > 0 { length as usize } else { 0 } {
        // SAFETY: the kernel has written this byte: `index` is less than `length`.
        let byte = unsafe { &mut *text.as_mut_ptr().cast::<u8>().add(index) };
        if *byte != b' ' {
            pid = pid * 10 + (*byte - b'0') as u64;
            continue;
        }
        *byte = 0;
        any |= if proc as i32 == -1 { kill(pid) } else { kill_shown(proc, text.as_ptr() as u64 + begin) };
        (pid, begin) = (0, index as u64 + 1);
    }
    any
}

/// Sends SIGKILL to the child that `/proc` shows by a number, which may mean another process to kill(2). As long as the child
/// is not reaped, the folder with this number is that of the child. pidfd_send_signal(2) takes the folder for a pidfd.
fn kill_shown(proc: u64, number: u64) -> bool {
    let how = [DIRECTORY_CLOEXEC, 0, NO_XDEV];
    // SAFETY: `how` is a struct open_how in this frame, and the caller has written a NUL after the number. Both are only read.
    let folder = unsafe { syscall(kernel::OPENAT2, [proc, number, how.as_ptr() as u64, 24, 0, 0]) } as u64;
    // SAFETY: without a siginfo_t, pidfd_send_signal(2) takes numbers.
    let sent = unsafe { syscall(kernel::PIDFD_SEND_SIGNAL, [folder, 9, 0, 0, 0, 0]) };
    kernel::close(folder);
    sent == 0
}
