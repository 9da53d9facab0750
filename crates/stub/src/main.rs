//! The stub, which is the code of every task: receives sequences of system calls, runs them, replies.
//!
//! The stub has no libc, no TLS, no allocator and no statics. Its whole state lies in one [`State`], so that a task that
//! shares memory with another one can have a state of its own.

#![no_std]
#![no_main]

mod kernel;
mod supervise;
#[allow(dead_code)] // the other side alone uses some names
#[path = "../../linux/src/wire.rs"]
mod wire;

use core::mem::{offset_of, size_of};
use kernel::{close, syscall, EINTR, EINVAL, EMFILE, EPROTO};
use wire::{Header, Policy, Reloc, Step, BLOCK, GUARD, STACK};

const CLONE_ARGS: u64 = 88;
const CLONE_FILES: u64 = 0x400;
const HEADER: u64 = size_of::<Header>() as u64;
const STEP: u64 = size_of::<Step>() as u64;
const RELOC: u64 = size_of::<Reloc>() as u64;

const MAP_SHARED: u64 = 1;
const MAP_PRIVATE_ANONYMOUS: u64 = 0x22;
const PROT_READ_WRITE: u64 = 3;
const MS_ASYNC: u64 = 1;
const SCM_RIGHTS: u64 = 1 | 1 << 32; // cmsg_level SOL_SOCKET, cmsg_type SCM_RIGHTS, as one word
const MSG_CTRUNC: u32 = 0x8;
const MSG_NOSIGNAL: u64 = 0x4000;
const MSG_CMSG_CLOEXEC: u64 = 0x4000_0000;
const F_GETFD: u64 = 1;
const F_DUPFD_CLOEXEC: u64 = 1030;
const FIRST_FD: u64 = 3; // after stdio

/// `struct cmsghdr` and the descriptors after it, as many as one message can carry.
#[repr(C)]
struct Control {
    length: u64,
    kind: u64,
    fds: [i32; wire::DESCRIPTORS],
}

/// `struct msghdr` and the one `struct iovec` that it points at.
#[repr(C)]
struct Message {
    header: [u64; 7], // name, namelen, iov, iovlen, control, controllen, flags
    buffer: [u64; 2],
}

/// The state of one stub.
#[repr(C, align(64))]
pub struct State {
    channel: u64,
    /// The descriptors that came with the present message; -1 for one that is lost.
    received: Control,
    received_count: usize,
    /// The descriptors that go with the reply, and a bit for each that the stub closes after it.
    attached: Control,
    attached_count: usize,
    close_attached: u64,
    /// The last field: a short message lies in one page with the other fields, and a clone copies fewer pages.
    message: Aligned<[u8; wire::LONGEST]>,
}

/// Memory that is aligned for a [`Header`].
#[repr(C, align(8))]
struct Aligned<T>(T);

/// A sequence that [`check`] has accepted: every index and offset in it lies inside it.
struct Sequence {
    header: *mut Header,
    steps: *mut Step,
    blob: u64,
    relocs: *const Reloc,
    /// Length of the mapping, 0 for a sequence that lies in the message.
    mapped: u64,
}

/// The end of the stack and the state, for `_start`.
#[repr(C)]
pub struct Block {
    stack_end: u64,
    state: *mut State,
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    kernel::exit(101)
}

/// Maps the memory of the stub: `guard | stack | state`. The channel is descriptor 3.
pub extern "C" fn start() -> Block {
    // SAFETY: mmap(2) makes a new mapping and touches no memory that exists.
    let base = unsafe { syscall(kernel::MMAP, [0, BLOCK, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, u64::MAX, 0]) } as u64;
    // SAFETY: mprotect(2) takes access away from the first pages of the new mapping, which are not in use.
    if failed(base as i64) || failed(unsafe { syscall(kernel::MPROTECT, [base, GUARD, 0, 0, 0, 0]) }) {
        kernel::exit(102);
    }
    let stack_end = base + GUARD + STACK;
    let state = stack_end as *mut State;
    // SAFETY: the state lies in the new mapping, which the kernel has zeroed and which no reference points into yet.
    unsafe { (*state).channel = 3 };
    Block { stack_end, state }
}

fn failed(result: i64) -> bool {
    (-(wire::LAST_ERROR as i64)..0).contains(&result)
}

impl Message {
    fn new(base: *const u8, length: u64, control: *const Control, control_length: u64) -> Self {
        Message { header: [0, 0, 0, 1, control as u64, control_length, 0], buffer: [base as u64, length] }
    }

    fn transfer(&mut self, nr: u64, channel: u64, flags: u64) -> i64 {
        self.header[2] = &raw const self.buffer as u64;
        loop {
            // SAFETY: the kernel reads and writes this struct and the memory that `new` was given. Both are parts of the
            // state or of the caller's frame, and outlive the call.
            let length = unsafe { syscall(nr, [channel, &raw mut self.header as u64, flags, 0, 0, 0]) };
            if length != EINTR {
                return length;
            }
        }
    }
}

/// Receives sequences, runs them and replies, until the channel ends.
pub extern "C" fn serve(state: *mut State) -> ! {
    // SAFETY: `state` is valid as long as this process lives, and this thread alone uses it.
    let state = unsafe { &mut *state };
    loop {
        let length = receive(state);
        let mut reply = HEADER;
        match load(state, length) {
            Ok(sequence) => {
                run(state, &sequence);
                if sequence.mapped == 0 {
                    // SAFETY: `load` has checked that the message begins with a header.
                    let header = unsafe { *sequence.header };
                    reply += STEP * header.steps as u64 + header.out as u64;
                } else {
                    // SAFETY: `load` has made this mapping for this sequence, which is not used any more.
                    unsafe { syscall(kernel::MUNMAP, [sequence.steps as u64 - HEADER, sequence.mapped, 0, 0, 0, 0]) };
                }
            }
            Err(status) => {
                // SAFETY: the buffer of the message is longer than a header, and aligned for one.
                let header = unsafe { &mut *(state.message.0.as_mut_ptr() as *mut Header) };
                *header = Header { version: wire::VERSION, status, serial: header.serial, ..Header::default() };
            }
        }
        send(state, reply);
        for fd in state.received.fds.iter().take(state.received_count).filter(|fd| **fd >= 0) {
            close(*fd as u64);
        }
    }
}

/// Waits for a message and returns its length, or 0 if descriptors were lost on the way. Ends the process when the channel
/// has ended.
fn receive(state: &mut State) -> u64 {
    let room = size_of::<Control>() as u64;
    let mut message = Message::new(state.message.0.as_ptr(), wire::LONGEST as u64, &raw const state.received, room);
    let length = message.transfer(kernel::RECVMSG, state.channel, MSG_CMSG_CLOEXEC);
    if length <= 0 {
        kernel::exit(0);
    }
    let any = message.header[5] > 16 && state.received.kind == SCM_RIGHTS;
    let count = if any { (state.received.length as usize - 16) / 4 } else { 0 };
    state.received_count = if count > wire::DESCRIPTORS { wire::DESCRIPTORS } else { count };
    state.attached_count = 0;
    state.close_attached = 0;
    let lost = message.header[6] as u32 & MSG_CTRUNC != 0;
    if lost {
        0
    } else {
        length as u64
    }
}

/// Sends the first `length` bytes of the message back, with the attached descriptors. A stub that cannot send ends the
/// process: the other side would wait for the reply for ever, and so reads the end of the channel.
fn send(state: &mut State, length: u64) {
    let count = state.attached_count as u64;
    state.attached.length = 16 + 4 * count;
    state.attached.kind = SCM_RIGHTS;
    let room = if count == 0 { 0 } else { (16 + 4 * count + 7) & !7 };
    let mut message = Message::new(state.message.0.as_ptr(), length, &raw const state.attached, room);
    if message.transfer(kernel::SENDMSG, state.channel, MSG_NOSIGNAL) < 0 {
        kernel::exit(103);
    }
    for (index, fd) in state.attached.fds.iter().enumerate().take(state.attached_count) {
        if state.close_attached >> index & 1 != 0 {
            close(*fd as u64);
        }
    }
}

/// Finds the sequence in the message or in its memfd, and checks it.
fn load(state: &mut State, length: u64) -> Result<Sequence, i32> {
    if length == 0 {
        return Err(EMFILE);
    }
    let header = state.message.0.as_mut_ptr() as *mut Header;
    // SAFETY: the buffer of the message is longer than a header, and aligned for one.
    let Header { version, flags, steps, relocs, blob, out, .. } = unsafe { *header };
    if length < HEADER || version != wire::VERSION {
        return Err(EPROTO);
    }
    let (steps, relocs, blob) = (steps as u64, relocs as u64, blob as u64);
    let total = HEADER + STEP * steps + blob + RELOC * relocs;
    if blob % 8 != 0 || out as u64 > blob {
        return Err(EINVAL);
    }
    let (body, mapped) = if flags & wire::LARGE == 0 {
        if total != length {
            return Err(EINVAL);
        }
        (header as u64 + HEADER, 0)
    } else {
        (map(state, total)? + HEADER, total)
    };
    let sequence = Sequence {
        header,
        steps: body as *mut Step,
        blob: body + STEP * steps,
        relocs: (body + STEP * steps + blob) as *const Reloc,
        mapped,
    };
    if check(state, &sequence, steps, relocs, blob) {
        return Ok(sequence);
    }
    if mapped != 0 {
        // SAFETY: `map` has just made this mapping for this sequence, which is not used any more.
        unsafe { syscall(kernel::MUNMAP, [body - HEADER, mapped, 0, 0, 0, 0]) };
    }
    Err(EINVAL)
}

/// Maps the memfd, which is the last descriptor of the message, and returns the address.
fn map(state: &State, total: u64) -> Result<u64, i32> {
    let Some(last) = state.received_count.checked_sub(1) else { return Err(EINVAL) };
    let memfd = state.received.fds[last] as u64;
    // SAFETY: lseek(2) takes numbers. With SEEK_END it returns the size of the file.
    let size = unsafe { syscall(kernel::LSEEK, [memfd, 0, 2, 0, 0, 0]) };
    if size < total as i64 {
        return Err(EINVAL);
    }
    // SAFETY: mmap(2) makes a new mapping and touches no memory that exists.
    let base = unsafe { syscall(kernel::MMAP, [0, total, PROT_READ_WRITE, MAP_SHARED, memfd, 0]) };
    (!failed(base)).then_some(base as u64).ok_or(base as i32)
}

/// Returns whether every index, offset and number in the sequence is one that [`run`] can use.
fn check(state: &State, sequence: &Sequence, steps: u64, relocs: u64, blob: u64) -> bool {
    let fits = |kind: u8, value: u64, step: u64| match kind {
        wire::NUMBER | wire::CHANNEL => true,
        wire::BLOB => value <= blob,
        wire::RESULT => value < step,
        wire::FD => value < state.received_count as u64,
        wire::LOAD => value < blob && blob - value >= 4,
        _ => false,
    };
    for index in 0..steps {
        // SAFETY: the sequence has room for `steps` steps: `load` has checked its length.
        let step = unsafe { &*sequence.steps.add(index as usize) };
        let number = |at: usize| step.kinds[at] == wire::NUMBER;
        let room = |at: usize, length| {
            step.kinds[at] == wire::BLOB && step.args[at] % 8 == 0 && blob - step.args[at] >= length
        };
        let arguments = (0..6).all(|at| fits(step.kinds[at], step.args[at], index));
        let closes = step.takes == wire::CLOSES && number(0) && number(1);
        let takes = closes || step.takes == 0 || step.takes <= 6 && number(step.takes as usize - 1);
        let own = match step.nr {
            wire::EXPECT => number(2) && (1..=wire::LAST_ERROR).contains(&step.args[2]),
            wire::SUPERVISE => room(4, supervise::INFO) && room(5, supervise::USAGE + supervise::INFO),
            // Parent and child both write into the sequence after a clone. In a memfd they would share it.
            wire::CLONE => {
                let child_begins = number(3) && index < step.args[3] && step.args[3] <= steps;
                sequence.mapped == 0 && room(0, CLONE_ARGS) && child_begins && number(4)
            }
            _ => true,
        };
        if !(arguments && takes && own && step.policy <= Policy::Search as u8) {
            return false;
        }
    }
    let mut before = 0;
    for index in 0..relocs {
        // SAFETY: the sequence has room for `relocs` relocations: `load` has checked its length.
        let reloc = unsafe { &*sequence.relocs.add(index as usize) };
        let (at, width, step) = (reloc.at as u64, reloc.width as u64, reloc.step as u64);
        let in_blob = (width == 4 || width == 8) && at + width <= blob;
        if !(in_blob && (before..steps).contains(&step) && fits(reloc.kind, reloc.value as u64, step)) {
            return false;
        }
        before = step;
    }
    true
}

/// Runs the steps in order, until a step fails whose policy ends the sequence.
fn run(state: &mut State, sequence: &Sequence) {
    // SAFETY: `load` has checked that the message begins with a header.
    let header = unsafe { &mut *sequence.header };
    (header.done, header.status) = (0, 0);
    let (mut index, mut end, mut patched) = (0, header.steps as usize, 0);
    while index < end {
        while patched < header.relocs as usize {
            // SAFETY: `check` has read all relocations up to `header.relocs`.
            let reloc = unsafe { &*sequence.relocs.add(patched) };
            if reloc.step as usize > index {
                break;
            }
            let value = resolve(state, sequence, reloc.kind, reloc.value as u64);
            // SAFETY: `check` has found that the word lies inside the blob.
            unsafe { patch((sequence.blob + reloc.at as u64) as *mut u8, value, reloc.width) };
            patched += 1;
        }
        // SAFETY: `check` has read all steps up to `header.steps`, and `end` and every index that a clone sets are no larger.
        let step = unsafe { &mut *sequence.steps.add(index) };
        if let Some(number) = step.args.get((step.takes as usize).wrapping_sub(1)) {
            make_way(state, *number);
        }
        let mut args = [0; 6];
        for at in 0..6 {
            args[at] = resolve(state, sequence, step.kinds[at], step.args[at]);
        }
        index += 1;
        step.result = match step.nr {
            wire::ATTACH => attach(state, args[0], args[1] != 0),
            wire::EXPECT if args[0] == args[1] => 0,
            wire::EXPECT => -(args[2] as i64),
            wire::SUPERVISE => supervise::supervise(state.channel, args),
            wire::CLONE => match clone(&args) {
                0 => {
                    index = args[3] as usize;
                    // The child's reply is the first one on another channel.
                    header.serial = 0;
                    // SAFETY: `check` has found room for a `struct clone_args`, whose first word are the flags.
                    adopt(state, args[2], unsafe { *(args[0] as *const u64) } & CLONE_FILES != 0)
                }
                child => {
                    end = args[3] as usize;
                    child
                }
            },
            // SAFETY: the sender of a sequence answers for what its calls do to this process.
            nr => unsafe { syscall(nr, args) },
        };
        if step.takes == wire::CLOSES && !failed(step.result) {
            // A later step may get such a number for another file, which the stub would close after its reply.
            let closed = |fd: &&mut i32| (args[0] as u32..=args[1] as u32).contains(&(**fd as u32));
            state.received.fds.iter_mut().take(state.received_count).filter(closed).for_each(|fd| *fd = -1);
        }
        header.done = index as u32;
        let elsewhere = step.policy == Policy::Search as u8 && wire::ELSEWHERE.contains(&-step.result);
        if failed(step.result) && step.policy != Policy::GoOn as u8 && !elsewhere {
            break;
        }
    }
}

/// Moves a received descriptor away from a number that a step gives to another file. A later step may use the descriptor,
/// and the stub closes all received descriptors after its reply: under the old number that would be the other file.
fn make_way(state: &mut State, number: u64) {
    for fd in state.received.fds.iter_mut().take(state.received_count).filter(|fd| **fd as u64 == number) {
        // SAFETY: fcntl(2) takes numbers here, and touches no memory.
        *fd = unsafe { syscall(kernel::FCNTL, [number, F_DUPFD_CLOEXEC, FIRST_FD, 0, 0, 0]) } as i32;
        close(number);
    }
}

fn resolve(state: &State, sequence: &Sequence, kind: u8, value: u64) -> u64 {
    match kind {
        wire::BLOB => sequence.blob + value,
        // SAFETY: `check` has found that this is an earlier step of the sequence.
        wire::RESULT => unsafe { (*sequence.steps.add(value as usize)).result as u64 },
        wire::FD => state.received.fds.get(value as usize).map_or(u64::MAX, |fd| *fd as u64),
        // SAFETY: `check` has found four bytes inside the blob, and `read_unaligned` needs no alignment.
        wire::LOAD => unsafe { ((sequence.blob + value) as *const i32).read_unaligned() as u64 },
        wire::CHANNEL => state.channel.wrapping_add(value),
        _ => value,
    }
}

/// Writes the low `width` bytes of `value` to `at`, which need not be aligned.
///
/// # Safety
/// The bytes at `at` belong to the caller.
unsafe fn patch(at: *mut u8, value: u64, width: u8) {
    for byte in 0..width as usize {
        // SAFETY: the caller promises it.
        unsafe { *at.add(byte) = (value >> (8 * byte)) as u8 };
    }
}

/// See [`wire::ATTACH`].
fn attach(state: &mut State, fd: u64, close: bool) -> i64 {
    // A number that is not open fails here. Later, the whole reply could not be sent.
    // SAFETY: fcntl(2) takes numbers here, and touches no memory.
    let flags = unsafe { syscall(kernel::FCNTL, [fd, F_GETFD, 0, 0, 0, 0]) };
    if flags < 0 {
        return flags;
    }
    let Some(place) = state.attached.fds.get_mut(state.attached_count) else { return EMFILE as i64 };
    *place = fd as i32;
    state.close_attached |= (close as u64) << state.attached_count;
    state.attached_count += 1;
    0
}

/// See [`wire::CLONE`].
fn clone(args: &[u64; 6]) -> i64 {
    // msync(2) finds out whether the child's memory is mapped: it fails if not, and has nothing to write back otherwise.
    // SAFETY: msync(2) with MS_ASYNC changes no memory.
    if args[4] != 0 && unsafe { syscall(kernel::MSYNC, [args[4], BLOCK, MS_ASYNC, 0, 0, 0]) } != 0 {
        return EINVAL as i64;
    }
    let stack = if args[4] == 0 { 0 } else { args[4] + GUARD + STACK };
    // SAFETY: `check` has found room for a `struct clone_args` of so many words, and that it is aligned.
    let words = unsafe { &*(args[0] as *const [u64; CLONE_ARGS as usize / 8]) };
    let [flags, pidfd, _, _, exit_signal, .., set_tid_size, cgroup] = *words;
    let (nr, call) = if flags >> 32 != 0 || flags & 0xff != 0 || set_tid_size != 0 || cgroup != 0 {
        (kernel::CLONE3, [args[0], args[1], 0])
    } else {
        // The last two arguments are 0, so that their order, which depends on the architecture, does not matter.
        (kernel::CLONE, [flags | exit_signal, stack, pidfd])
    };
    if stack == 0 {
        // SAFETY: without CLONE_VM the child has a copy of this memory and returns from this call too. `check` has found the
        // struct inside the sequence. clone(2) writes the pidfd to an address in the blob that the sender chose.
        return unsafe { syscall(nr, [call[0], call[1], call[2], 0, 0, 0]) };
    }
    // SAFETY: the sender has had this memory mapped for the child, which does not run yet. No one else uses it.
    unsafe { (*(stack as *mut State)).channel = args[2] };
    // SAFETY: the child gets a stack and a state of its own. The rest is as without a stack.
    unsafe { kernel::clone_onto(nr, call) }
}

/// Replaces the channel of the parent by the channel of this new task, and returns its number. With `shared`, the parent and
/// this task have one table of descriptors.
fn adopt(state: &mut State, fd: u64, shared: bool) -> i64 {
    state.attached_count = 0;
    state.close_attached = 0;
    if shared {
        // The parent closes the descriptors that came with the message: in the shared table they are this task's too.
        state.received_count = 0;
        state.channel = fd;
        return fd as i64;
    }
    close(state.channel);
    // SAFETY: fcntl(2) takes numbers here, and touches no memory.
    let moved_to = |min| unsafe { syscall(kernel::FCNTL, [fd, F_DUPFD_CLOEXEC, min, 0, 0, 0]) };
    // RLIMIT_NOFILE may be lower than the preferred number. A lower number is free then: in the parent it is the pidfd's.
    state.channel = Some(moved_to(wire::CHANNEL_FD)).filter(|fd| *fd >= 0).unwrap_or_else(|| moved_to(FIRST_FD)) as u64;
    state.channel as i64
}

const _: () = assert!(wire::DESCRIPTORS <= 64, "close_attached has a bit for each descriptor");
const _: () = assert!(GUARD + STACK + size_of::<State>() as u64 <= BLOCK);
const _: () = assert!(offset_of!(Control, fds) == 16);
