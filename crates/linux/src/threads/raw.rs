//! System calls that leave `errno` alone: a handler of a signal makes them between two instructions of other code.

use std::arch::asm;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// Makes a system call. Returns its result, or the number of its error, negative.
///
/// # Safety
/// Each address among the arguments points to memory that the kernel may use as this call does, until it returns.
pub(super) unsafe fn syscall(nr: i64, args: [u64; 6]) -> i64 {
    let [a, b, c, d, e, f] = args;
    let result: i64;
    // SAFETY: the caller answers for the memory. The kernel changes rax, rcx and r11, and no other register.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("syscall", inlateout("rax") nr => result, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e,
            in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    // SAFETY: the caller answers for the memory. The kernel changes x0, and no other register.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc 0", in("x8") nr, inlateout("x0") a => result, in("x1") b, in("x2") c, in("x3") d, in("x4") e,
            in("x5") f, options(nostack));
    }
    result
}

/// Makes a system call whose arguments are numbers and not addresses.
pub(super) fn numbers(nr: i64, args: [u64; 4]) -> i64 {
    let [a, b, c, d] = args;
    // SAFETY: no argument is an address, and so the kernel touches no memory of this process.
    unsafe { syscall(nr, [a, b, c, d, 0, 0]) }
}

/// Returns the id of the calling thread.
pub(super) fn gettid() -> i32 {
    numbers(libc::SYS_gettid, [0; 4]) as i32
}

/// Returns the securebits of the calling thread, or an error number, negative.
pub(super) fn securebits() -> i64 {
    numbers(libc::SYS_prctl, [libc::PR_GET_SECUREBITS as u64, 0, 0, 0])
}

/// Sleeps while `word` has a value, until another thread calls [`wake`], at most for a number of nanoseconds; 0: without an end.
/// Returns early after a signal.
pub(super) fn wait(word: &AtomicU32, value: u32, nanoseconds: u64) {
    let time = [nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000];
    let limit = if nanoseconds == 0 { 0 } else { (&raw const time) as u64 };
    let wait = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as u64;
    // SAFETY: the kernel reads `word`, which is borrowed, and `time`, which lives in this frame, until the call returns.
    unsafe { syscall(libc::SYS_futex, [word.as_ptr() as u64, wait, value.into(), limit, 0, 0]) };
}

/// Sleeps until `word` has another value.
pub(super) fn wait_while(word: &AtomicU32, value: u32) {
    while word.load(SeqCst) == value {
        wait(word, value, 0);
    }
}

/// Wakes all threads that sleep on `word`.
pub(super) fn wake(word: &AtomicU32) {
    let wake = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as u64;
    // SAFETY: the kernel uses the address as the name of a queue, and does not touch the memory.
    unsafe { syscall(libc::SYS_futex, [word.as_ptr() as u64, wake, i32::MAX as u64, 0, 0, 0]) };
}
