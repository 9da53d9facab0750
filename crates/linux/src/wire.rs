//! The sequence format: what Node and the stub say to each other. Both crates compile this file.
//!
//! A sequence is one message, `Header | calls | blob | relocations`, in the byte order and alignment of the machine.
//! The reply is the same memory again up to the end of the blob's output part, with the header's and the calls'
//! result fields filled in. A sequence longer than [`INLINE`] lies in a memfd that both sides map; its message is the
//! header alone with [`LARGE`] set and the memfd as its first descriptor, and the reply is the header alone.

/// Changes whenever anything in this file does: a stub refuses a sequence of another version.
pub const VERSION: u32 = 0x6e66_0002;

/// The longest sequence that travels in a message of its own, in bytes.
pub const INLINE: usize = 64 * 1024;

/// [`Header::flags`]: the sequence lies in the memfd that came with the message.
pub const LARGE: u32 = 1;

/// The most descriptors that travel with a message in either direction.
pub const DESCRIPTORS: usize = 64;

/// The channel's preferred number in a task: the last one of the table the kernel embeds in every process.
pub const CHANNEL_FD: u64 = 63;

/// Length of the guard before a stack in bytes: the largest page of both architectures, so that it is one everywhere.
pub const GUARD: u64 = 64 * 1024;
/// Length of a stub's stack in bytes.
pub const STACK: u64 = 64 * 1024;
/// Length of the memory that a stub lives in: guard, stack, and after that all that it remembers.
pub const BLOCK: u64 = 256 * 1024;

/// The head of a sequence and of its reply.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Header {
    /// [`VERSION`].
    pub version: u32,
    /// [`LARGE`] or 0.
    pub flags: u32,
    /// How many [`Step`]s follow.
    pub steps: u32,
    /// How many [`Reloc`]s follow the blob.
    pub relocs: u32,
    /// Length of the blob in bytes, a multiple of 8.
    pub blob: u32,
    /// How many bytes at the start of the blob go back with the reply.
    pub out: u32,
    /// Reply: how many steps ran, counting the one that failed.
    pub done: u32,
    /// Reply: 0, or the negative errno that says why the sequence as a whole was refused and nothing of it ran.
    pub status: i32,
}

/// One system call of a sequence.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    /// System call number, or one of the stub's own: [`CLONE`], [`ATTACH`].
    pub nr: u64,
    /// Six arguments, read as [`Step::kinds`] says.
    pub args: [u64; 6],
    /// Reply: what the kernel answered.
    pub result: i64,
    /// One of the argument kinds below for each argument.
    pub kinds: [u8; 6],
    /// The number of a [`Policy`].
    pub policy: u8,
    /// 0, or which argument, counted from 1, is a [`NUMBER`] that the call gives to another file.
    pub takes: u8,
}

/// A word of the blob that only the stub can fill in, patched just before step [`Reloc::step`] runs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Reloc {
    /// Offset of the word in the blob.
    pub at: u32,
    /// The step before which it is patched; relocations are sorted by it.
    pub step: u32,
    /// What to write, read as [`Reloc::kind`] says.
    pub value: u32,
    /// An argument kind.
    pub kind: u8,
    /// Width of the word in bytes: 4 or 8.
    pub width: u8,
    /// Always 0.
    pub pad: u16,
}

/// Argument kind: the number itself.
pub const NUMBER: u8 = 0;
/// Argument kind: the address of this offset in the blob.
pub const BLOB: u8 = 1;
/// Argument kind: the result of the step with this index, an earlier one.
pub const RESULT: u8 = 2;
/// Argument kind: the descriptor with this index of those that came with the message.
pub const FD: u8 = 3;
/// Argument kind: the 32-bit number that stands at this offset of the blob when the call is made.
pub const LOAD: u8 = 4;
/// Argument kind: the number of the channel's descriptor plus this (wrapping).
pub const CHANNEL: u8 = 5;

/// What becomes of the rest of a sequence when a step fails; [`Step::policy`] holds its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Policy {
    /// The sequence ends.
    Stop = 0,
    /// The next step runs.
    GoOn = 1,
    /// The next step runs if the error is one of [`ELSEWHERE`], for which execvp(3) tries the next path; else the sequence
    /// ends.
    Search = 2,
}

/// ENOENT, EACCES, ENODEV, ENOTDIR, ETIMEDOUT, ESTALE.
pub const ELSEWHERE: [i64; 6] = [2, 13, 19, 20, 110, 116];

/// Stub's own call: clone a task. Arguments: address and size of a `struct clone_args`, the child's end of its
/// channel, the index of the first step that the child runs, what a probe of clone3 came to (ENOSYS makes it `clone`),
/// and for a child that shares memory its [`BLOCK`], zeroed, else 0: that child begins by serving.
/// The parent runs the steps before that index and replies; the child goes on there, with the new channel, replies on
/// it and serves. In the child the result is the number its channel got. Refused in a sequence that lies in a memfd,
/// where both would write into the same memory.
pub const CLONE: u64 = 1 << 32;

/// Stub's own call: stand by until a child, the program, has ended, and reap whoever else ends meanwhile; then, and when
/// the channel ends, kill and reap all that are left. Arguments: the program's pid; a signalfd that does not block, from which
/// all signals but SIGCHLD go to the program; `/proc/thread-self/children`, or -1 for a process 1, whose children are all
/// processes that it sees; a `siginfo_t` and a `struct rusage` for how the program ended, and after that room for another
/// `siginfo_t`.
pub const SUPERVISE: u64 = (1 << 32) + 2;

/// Stub's own call: send descriptor (argument 0) with the reply, and close it afterwards where argument 1 is not 0.
pub const ATTACH: u64 = (1 << 32) + 1;

/// Stub's own call: compare argument 0 with argument 1, and fail where they differ, with the error number in argument 2: a
/// [`NUMBER`] from 1 to [`LAST_ERROR`].
pub const EXPECT: u64 = (1 << 32) + 3;
/// The largest error number that the kernel uses.
pub const LAST_ERROR: u64 = 4095;
