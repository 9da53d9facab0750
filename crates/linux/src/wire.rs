//! The format of the messages between Node and a task. Both crates, this one and the stub, compile this file.
//!
//! A sequence is one message: `Header | steps | blob | relocations`, in the byte order and alignment of the machine. The
//! reply is the same memory up to the end of the output part of the blob, with the result fields of the header and of the
//! steps filled in.
//!
//! A sequence longer than [`INLINE`] lies in a memfd that both sides map. Its message is the header alone, with [`LARGE`] set
//! and the memfd as its last descriptor. The reply is the header alone, and the results are in the memfd. Where Node may not
//! write a file of that length, a sequence up to [`LONGEST`] is one message all the same.

/// Changes whenever anything in this file does: a stub refuses a sequence of another version.
pub const VERSION: u32 = 0x6e66_0005;

/// Length in bytes of the longest reply that is a message of its own, and of the longest such sequence where Node has a choice.
pub const INLINE: usize = 64 * 1024;
/// Length in bytes of the longest message. A socket can hold it on most hosts: twice the default of `net.core.wmem_max`.
pub const LONGEST: usize = 400 * 1024;

/// [`Header::flags`]: the sequence lies in the memfd that came with the message.
pub const LARGE: u32 = 1;

/// The largest number of descriptors that go with a message, in either direction.
pub const DESCRIPTORS: usize = 64;

/// Length in bytes of the notice that a task sends right before it executes a program. A reply is longer. The end of the
/// channel after a notice means that the program runs.
pub const NOTICE: usize = 1;

/// The preferred number of the channel in a task: the last one of the table that the kernel embeds in every process.
pub const CHANNEL_FD: u64 = 63;

/// Length in bytes of the guard before a stack: the largest page that either architecture has.
pub const GUARD: u64 = 64 * 1024;
/// Length in bytes of the stack of a stub.
pub const STACK: u64 = 64 * 1024;
/// Length in bytes of the memory of a stub: guard, stack, and state.
pub const BLOCK: u64 = 640 * 1024;

/// The first bytes of a sequence and of its reply.
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
    /// How many bytes at the start of the blob are its output part, which goes back with the reply.
    pub out: u32,
    /// Reply: how many steps ran, with the one that failed.
    pub done: u32,
    /// Reply: 0, or a negative error number if the stub has refused the whole sequence and run no step of it.
    pub status: i32,
    /// The number of this message among those that Node has sent on the channel, from 1. The reply has the same number, so
    /// that a message which is no reply is not taken for one. The reply to the start of a new task has the number 0.
    pub serial: u64,
}

/// One system call of a sequence.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    /// The number of a system call, or of a call of the stub's own: [`CLONE`], [`ATTACH`], [`SUPERVISE`], [`EXPECT`].
    pub nr: u64,
    /// Six arguments. [`Step::kinds`] says what each one is.
    pub args: [u64; 6],
    /// Reply: the result of the call, a negative error number if it failed.
    pub result: i64,
    /// The kind of each argument: one of the constants below.
    pub kinds: [u8; 6],
    /// The number of a [`Policy`].
    pub policy: u8,
    /// 0, or which argument, counted from 1, is a descriptor number that the call gives to another file. The argument is a
    /// [`NUMBER`]. The stub first moves a descriptor that it has received under this number to another one. Or [`CLOSES`].
    pub takes: u8,
}

/// [`Step::takes`]: the call closes all descriptors from argument 0 to argument 1, both a [`NUMBER`]. The stub then no longer
/// owns the descriptors of this range that it has received, and does not close their numbers after its reply.
pub const CLOSES: u8 = 7;

/// A word of the blob whose value the stub alone knows. The stub writes the word just before step [`Reloc::step`] runs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Reloc {
    /// Offset of the word in the blob.
    pub at: u32,
    /// The step before which the word is written. Relocations are sorted by this index.
    pub step: u32,
    /// The value. [`Reloc::kind`] says what it is.
    pub value: u32,
    /// The kind of the value: one of the constants below.
    pub kind: u8,
    /// Width of the word in bytes: 4 or 8.
    pub width: u8,
    /// Always 0.
    pub pad: u16,
}

/// Kind: the number itself.
pub const NUMBER: u8 = 0;
/// Kind: the address of this offset in the blob.
pub const BLOB: u8 = 1;
/// Kind: the result of an earlier step, by index.
pub const RESULT: u8 = 2;
/// Kind: a descriptor that came with the message, by index.
pub const FD: u8 = 3;
/// Kind: the 32-bit number that lies at this offset in the blob when the call is made.
pub const LOAD: u8 = 4;
/// Kind: the number of the channel's descriptor plus this number, wrapping.
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

/// See [`Policy::Search`]: ENOENT, EACCES, ENODEV, ENOTDIR, ETIMEDOUT, ESTALE.
pub const ELSEWHERE: [i64; 6] = [2, 13, 19, 20, 110, 116];

/// Call of the stub's own: clones a task.
///
/// Arguments: the address and the size of a `struct clone_args`; the child's end of the child's channel; the index of the
/// first step that the child runs; the address of a zeroed [`BLOCK`] for a child that shares memory, else 0.
///
/// The stub calls clone(2), and clone3(2) only for what clone(2) cannot do: containers answer clone3(2) with ENOSYS, and a
/// seccomp filter may kill its caller.
///
/// The parent runs the steps before that index, and replies. The child goes on at that index with the new channel, replies
/// on it and serves. A child that shares memory runs no step of this sequence, and begins with serving. In the child the
/// result is the number of its channel. The stub refuses a clone in a memfd, where parent and child would write into the
/// same memory.
pub const CLONE: u64 = 1 << 32;

/// Call of the stub's own: sends descriptor (argument 0) with the reply, and closes it afterwards if argument 1 is not 0.
pub const ATTACH: u64 = (1 << 32) + 1;

/// Call of the stub's own: waits until a child, the program, has ended, and reaps all other children that end meanwhile. Then,
/// or when the channel ends, kills and reaps all children that are left.
///
/// Arguments: the program's pid, and [`ENDS_STOPPED`] where a program that is stopped counts as ended; a signalfd that does not
/// block, from which the stub sends all signals but SIGCHLD to the program; `/proc/thread-self/children`, or -1 for a process 1,
/// which kills all processes that it sees; -1 if the numbers in this list are pids in the pid namespace of the supervisor, else
/// the folder `/proc`, in which the numbers name the children; a `siginfo_t` and a `struct rusage` for the end of the program,
/// and after them room for another `siginfo_t`.
pub const SUPERVISE: u64 = (1 << 32) + 2;

/// Added to the pid of a program: somebody who stops the program ends it, and everything else that the supervisor kills.
pub const ENDS_STOPPED: u64 = 1 << 32;

/// Call of the stub's own: compares argument 0 with argument 1, and fails if they differ, with the error number in argument 2:
/// a [`NUMBER`] from 1 to [`LAST_ERROR`].
pub const EXPECT: u64 = (1 << 32) + 3;

/// The largest error number of the kernel.
pub const LAST_ERROR: u64 = 4095;
