//! What a supervisor does instead of serving: stands by, reaps, and leaves nobody behind.

use crate::kernel::{self, syscall};
use core::mem::MaybeUninit;

const P_PID: u64 = 1;
const WEXITED: u64 = 4 | 0x4000_0000; // and __WALL
const WNOHANG: u64 = 1;
const WNOWAIT: u64 = 0x0100_0000;
const POLLIN: u64 = 1 << 32; // in a struct pollfd
const SIGCHLD: u32 = 17;
const SI_KERNEL: u32 = 0x80;
const SI_PID: u64 = 16;
/// Length of a `siginfo_t`.
pub const INFO: u64 = 128;
/// Length of a `struct rusage`.
pub const USAGE: u64 = 144;

/// See [`wire::SUPERVISE`].
pub fn supervise(channel: u64, [program, signals, children, info, usage, _]: [u64; 6]) -> i64 {
    // Whether its status is known, or nobody will ever know it because it is not our child any more.
    // SAFETY: asks, without memory for an answer.
    let mut known = unsafe { syscall(kernel::WAITID, [P_PID, program, 0, WEXITED | WNOHANG | WNOWAIT, 0, 0]) } < 0;
    let mut over = known;
    loop {
        // Whoever has ended, ours or adopted. The program's status is not written over.
        let left = loop {
            let (info, usage) = if known { (usage + USAGE, 0) } else { (info, usage) };
            let ended = (info + SI_PID) as *mut u32;
            // SAFETY: lies in the program's blob, aligned, as `check` found; so does what the kernel writes.
            unsafe { *ended = 0 };
            // SAFETY: as above.
            let result = unsafe { syscall(kernel::WAITID, [0, 0, info, WEXITED | WNOHANG, usage, 0]) };
            // SAFETY: as above.
            match unsafe { *ended } {
                _ if result < 0 => break false,
                0 => break true,
                pid => known |= pid as u64 == program,
            }
        };
        over |= known;
        if over {
            // Who may not be killed, being another user's by now, is not waited for either.
            if !left || !kill_children(children) {
                return 0;
            }
            // SAFETY: waits until somebody has ended, and leaves him to the loop above.
            unsafe { syscall(kernel::WAITID, [0, 0, 0, WEXITED | WNOWAIT, 0, 0]) };
            continue;
        }
        // Each fd, events, revents; and a struct signalfd_siginfo: signo, errno, code, and so on.
        let mut polls = [channel | POLLIN, signals | POLLIN];
        let mut signal = [0u32; 32];
        // SAFETY: both live in this frame, as long as the calls.
        unsafe {
            syscall(kernel::PPOLL, [polls.as_mut_ptr() as u64, 2, 0, 0, 0, 0]);
            syscall(kernel::READ, [signals, signal.as_mut_ptr() as u64, 128, 0, 0, 0]);
        }
        over = polls[0] >> 48 != 0;
        // What a terminal sends, it sends to all of its group.
        if signal[0] != 0 && signal[0] != SIGCHLD && signal[2] != SI_KERNEL {
            // SAFETY: takes numbers; the program has not been reaped, so the pid is its own.
            unsafe { syscall(kernel::KILL, [program, signal[0] as u64, 0, 0, 0, 0]) };
        }
    }
}

/// Sends SIGKILL to all children; whether anybody could be sent it.
fn kill_children(list: u64) -> bool {
    // SAFETY: takes numbers; only a child that was not reaped is named, or everybody that a process 1 sees but itself.
    let kill = |pid: u64| unsafe { syscall(kernel::KILL, [pid, 9, 0, 0, 0, 0]) == 0 };
    if list as i32 == -1 {
        // SAFETY: asks for a number.
        return unsafe { syscall(kernel::GETPID, [0; 6]) } == 1 && kill(u64::MAX);
    }
    // Pids, a space after each.
    let mut text = MaybeUninit::<[u8; 4096]>::uninit();
    // SAFETY: the kernel writes no more than the buffer's length into it.
    let length = unsafe { syscall(kernel::PREAD64, [list, text.as_mut_ptr() as u64, 4096, 0, 0, 0]) };
    let (mut pid, mut any) = (0, false);
    for index in 0..if length > 0 { length as usize } else { 0 } {
        // SAFETY: one of the `length` bytes that the kernel has written.
        let byte = unsafe { *text.as_ptr().cast::<u8>().add(index) };
        if byte != b' ' {
            pid = pid * 10 + (byte - b'0') as u64;
        } else {
            any |= kill(pid);
            pid = 0;
        }
    }
    any
}
