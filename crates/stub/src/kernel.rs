//! System calls without libc: the instruction of each architecture, and the numbers of the calls that the stub makes for
//! itself.

use core::arch::{asm, global_asm};

// The process begins here. `start` maps the memory of the stub and returns the end of its stack and its state, in the two
// registers for a pair. `serve` runs on the new stack, and the stack that the kernel made is never used again.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start: xor ebp, ebp", "and rsp, -16", "call {start}", "mov rsp, rax", "mov rdi, rdx",
    "call {serve}", "ud2", start = sym crate::start, serve = sym crate::serve);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start: mov x29, #0", "bl {start}", "mov sp, x0", "mov x0, x1", "bl {serve}", "brk #1",
    start = sym crate::start, serve = sym crate::serve);

macro_rules! numbers { ($($name:ident $x86_64:literal $aarch64:literal)*) => { $(
    pub const $name: u64 = if cfg!(target_arch = "x86_64") { $x86_64 } else { $aarch64 };
)* } }
numbers! {
    CLONE 56 220          CLONE3 435 435        CLOSE 3 57            EXIT_GROUP 231 94
    FCNTL 72 25           GETPID 39 172         KILL 62 129           LSEEK 8 62
    MMAP 9 222            MPROTECT 10 226       MSYNC 26 227          MUNMAP 11 215
    OPENAT2 437 437       PPOLL 271 73          PREAD64 17 67         READ 0 63
    RECVMSG 47 212        SENDMSG 46 211        WAITID 247 95         PIDFD_SEND_SIGNAL 424 424
}

pub const EINTR: i64 = -4;
pub const EINVAL: i32 = -22;
pub const EMFILE: i32 = -24;
pub const EPROTO: i32 = -71;

/// Makes a system call.
///
/// # Safety
/// The caller answers for what the call with this number does to the memory and the descriptors of this process.
pub unsafe fn syscall(nr: u64, a: [u64; 6]) -> i64 {
    let result: i64;
    // SAFETY: the caller answers for the call. The kernel changes rax, rcx and r11, and no other register.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("syscall", inlateout("rax") nr as i64 => result, in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
            in("r10") a[3], in("r8") a[4], in("r9") a[5], lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    // SAFETY: the caller answers for the call. The kernel changes x0, and no other register.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc 0", in("x8") nr, inlateout("x0") a[0] as i64 => result, in("x1") a[1], in("x2") a[2],
            in("x3") a[3], in("x4") a[4], in("x5") a[5], options(nostack));
    }
    result
}

/// Clones a child that has a stack of its own. The child's state lies at the end of the stack. The child calls `serve` there,
/// and never returns.
///
/// # Safety
/// As for [`syscall`]. No one but the child uses the stack and the state.
pub unsafe fn clone_onto(nr: u64, a: [u64; 3]) -> i64 {
    let result: i64;
    // SAFETY: the caller answers for the call. In the parent this is a system call like any other.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("syscall", "test rax, rax", "jnz 2f", "xor ebp, ebp", "mov rdi, rsp", "call {serve}", "2:",
            serve = sym crate::serve, inlateout("rax") nr as i64 => result, inlateout("rdi") a[0] => _, in("rsi") a[1],
            in("rdx") a[2], in("r10") 0, in("r8") 0, lateout("rcx") _, lateout("r11") _);
    }
    // SAFETY: the caller answers for the call. In the parent this is a system call like any other.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc 0", "cbnz x0, 2f", "mov x29, #0", "mov x0, sp", "bl {serve}", "2:", serve = sym crate::serve,
            in("x8") nr, inlateout("x0") a[0] as i64 => result, in("x1") a[1], in("x2") a[2], in("x3") 0, in("x4") 0,
            out("lr") _);
    }
    result
}

/// Ends the process.
pub fn exit(code: u64) -> ! {
    loop {
        // SAFETY: exit_group(2) takes a number, and does not return.
        unsafe { syscall(EXIT_GROUP, [code, 0, 0, 0, 0, 0]) };
    }
}

/// Closes a descriptor.
pub fn close(fd: u64) {
    // SAFETY: close(2) takes a number, and touches no memory.
    unsafe { syscall(CLOSE, [fd, 0, 0, 0, 0, 0]) };
}
