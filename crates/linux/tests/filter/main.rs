//! Filters of seccomp(2): the compiled program decides as the rules say, and as the crate seccompiler does.

mod interpreter;
mod limits;
mod peer;
#[path = "../kernel/random.rs"]
mod random;
mod rules;
mod words;

/// AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64.
const X86_64: u32 = 0xc000_003e;
const AARCH64: u32 = 0xc000_00b7;

const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;

/// A system call as a filter sees it.
#[derive(Clone, Copy, Debug)]
struct Data {
    number: u32,
    arch: u32,
    args: [u64; 6],
}
