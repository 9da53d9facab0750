//! What a call is made of: its arguments, the bytes that the kernel reads and writes, and the words in these bytes that are
//! addresses or descriptors.

use crate::error::{Detail, Failure, Refusal};
use crate::wire::{self, Policy};
use std::borrow::Cow;
use std::ffi::CStr;

/// Descriptor numbers from here down are slots: each stands for a descriptor that a sequence has still to make.
pub const SLOT: i32 = -0x4000_0000;

/// One argument of a call, or a word in the bytes that an argument points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// The number itself.
    Number(u64),
    /// The address of this offset in the bytes that the kernel writes.
    Out(u32),
    /// The address of this offset in the bytes that the kernel only reads.
    Input(u32),
    /// The address of an offset (second) in the bytes that the kernel only reads for an earlier step (first).
    InputOf(u32, u32),
    /// The result of the earlier step with this index.
    Result(u32),
    /// The first `int` that the kernel wrote for the earlier step with this index.
    Written(u32),
    /// The `int` that the kernel wrote at an offset (second) for an earlier step (first). Only in a task.
    WrittenAt(u32, u32),
    /// The descriptor that an earlier step makes for this slot.
    Slot(u32),
    /// The descriptor with this index among those that travel with the message.
    Passed(u32),
    /// The number of the task's channel, plus this.
    Channel(i64),
}

/// A word of the bytes that is an address or a descriptor. The process that makes the call fills it in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pointer {
    pub at: Arg,
    pub to: Arg,
    pub width: u8,
}

/// The kind of result that a call has. A batch needs to know the kind before the call has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yields {
    /// No result.
    Nothing,
    /// One new descriptor.
    Descriptor,
    /// Two new descriptors, as two `int`s at the start of the output.
    Pair,
    /// The number [`Request::longest`] if the call has done its whole work, and less otherwise. A batch relies on the whole, and
    /// ends with EIO otherwise.
    Whole,
    /// A value that only the kernel knows. A batch cannot collect such a call.
    Value,
}

/// The arguments, beside its paths, that an error of a call names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// None.
    Nothing,
    /// The number with this index.
    Number(u8),
    /// The name and the options of a file system, at their places among the arguments of mount(2).
    FileSystem,
    /// The parameter of a file system context, and the messages of this context.
    Context,
}

/// A call without the function that reads its answer.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) name: &'static str,
    pub(crate) nr: u64,
    pub(crate) args: [Arg; 6],
    pub(crate) count: usize,
    pub(crate) out: Vec<u8>,
    /// The length of an output of which the kernel writes as many bytes as the result says. Such a call has no other output.
    pub(crate) room: usize,
    pub(crate) input: Vec<u8>,
    pub(crate) pointers: Vec<Pointer>,
    pub(crate) paths: [Option<(u32, u32)>; 2],
    pub(crate) policy: Policy,
    pub(crate) one_thread: bool,
    pub(crate) clears_death_signal: bool,
    /// The first and the last of the arguments between which the call closes all descriptors.
    pub(crate) closes: Option<[u8; 2]>,
    /// The argument whose number the call gives to another file.
    pub(crate) takes: Option<u8>,
    pub(crate) yields: Yields,
    /// True for the message that a task sends right before it executes a program.
    pub(crate) notice: bool,
    /// The largest result of a call that returns how many there are of something. `None`: the result is another number.
    pub(crate) longest: Option<i64>,
    /// True when there was no memory for the bytes of an argument. The call is never made: it fails with ENOMEM.
    pub(crate) lacks_memory: bool,
    /// The arguments, beside the paths, that an error of the call names.
    pub(crate) named: Named,
    /// The words for an error of the call, in place of the kernel's.
    pub(crate) words: Option<&'static str>,
    /// The slot of the descriptor whose path below `/proc/self/fd` is the first argument. Only a sequence that runs near has such a
    /// call: the path is written when the descriptor has its number.
    pub(crate) path_of: Option<Arg>,
    /// Where the input has the name of the file system that the call is about.
    pub(crate) fstype: Option<(u32, u32)>,
}

impl Request {
    #[inline(never)]
    pub(super) fn add_arg(&mut self, arg: Arg) {
        debug_assert!(self.count < self.args.len(), "a system call has at most six arguments");
        if let Some(place) = self.args.get_mut(self.count) {
            *place = arg;
            self.count += 1;
        }
    }

    #[inline(never)]
    pub(super) fn add_number(&mut self, number: u64) {
        self.add_arg(Arg::Number(number));
    }

    #[inline(never)]
    pub(super) fn add_fd(&mut self, fd: i32) {
        self.add_arg(Arg::descriptor(fd));
    }

    #[inline(never)]
    pub(super) fn add_input(&mut self, bytes: &[u8]) -> Arg {
        let at = self.input.len().next_multiple_of(8);
        if reserve(&mut self.input, at + bytes.len()) {
            self.input.resize(at, 0);
            self.input.extend_from_slice(bytes);
        } else {
            self.lacks_memory = true;
        }
        Arg::Input(at as u32)
    }

    #[inline(never)]
    pub(super) fn add_out(&mut self, length: usize) -> u32 {
        let at = self.out.len().next_multiple_of(8);
        if reserve(&mut self.out, at + length) {
            self.out.resize(at + length, 0);
        } else {
            self.lacks_memory = true;
        }
        at as u32
    }

    /// Adds bytes that the kernel reads and writes, and returns their place in the output.
    pub(crate) fn add_inout(&mut self, bytes: &[u8]) -> u32 {
        let at = self.add_out(bytes.len());
        // The bytes have no place if there was no memory for them.
        if let Some(place) = self.out.get_mut(at as usize..at as usize + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        at
    }

    /// Returns the length of all outputs.
    pub(crate) fn out_length(&self) -> usize {
        self.out.len() + self.room
    }

    /// Returns the failure for an error number of the kernel.
    pub(crate) fn refusal(&self, number: i32, step: Option<u32>) -> Failure {
        let [path, dest] = self.paths.map(|place| self.bytes(place));
        let words = self.words.map(Cow::Borrowed);
        Failure::Refused(Refusal { path, dest, step, words, detail: self.detail(), ..Refusal::new(self.name, number) })
    }

    /// Returns the failure of a call that would change one thread of this process.
    pub(crate) fn multithreaded(&self) -> Failure {
        Failure::Multithreaded(self.name, self.named_number())
    }

    /// Returns the number that says what the call is about.
    pub(crate) fn named_number(&self) -> Option<i64> {
        let Named::Number(at) = self.named else { return None };
        self.number_at(at.into())
    }

    pub(crate) fn number_at(&self, at: usize) -> Option<i64> {
        match self.args.get(at) {
            Some(Arg::Number(number)) => Some(*number as i64),
            _ => None,
        }
    }

    fn detail(&self) -> Option<Box<Detail>> {
        let fstype = self.bytes(self.fstype);
        let detail = match self.named {
            Named::Nothing if fstype.is_none() => return None,
            Named::Nothing => Detail { fstype, ..Detail::default() },
            Named::Context => {
                let command = self.number_at(1).filter(|_| self.name == "fsconfig");
                Detail { fstype, key: self.text(self.args[2]), number: command, ..Detail::default() }
            }
            Named::Number(_) => Detail { number: self.named_number(), ..Detail::default() },
            Named::FileSystem => {
                let [_, _, fstype, _, data, _] = self.args.map(|arg| self.text(arg));
                Detail { fstype, data, ..Detail::default() }
            }
        };
        Some(Box::new(detail))
    }

    /// Returns the step whose result the call compares with another number, if the call is an expectation of a result.
    pub(crate) fn compared_step(&self) -> Option<usize> {
        match (self.nr, self.args[0]) {
            (wire::EXPECT, Arg::Result(step)) => Some(step as usize),
            _ => None,
        }
    }

    /// Returns the error of an expectation that is not met.
    pub(crate) fn expected_errno(&self) -> i32 {
        match self.args[2] {
            Arg::Number(number) => number as i32,
            _ => libc::EINVAL,
        }
    }

    /// Returns the number of the context that the call is made on, if it is made on one. `slot` returns the descriptors that earlier
    /// calls have made.
    pub(crate) fn context(&self, slot: impl Fn(u32) -> Option<i32>) -> Option<i32> {
        match (self.named, self.args[0]) {
            (Named::Context, Arg::Number(number)) => Some(number as i32),
            (Named::Context, Arg::Slot(index)) => slot(index),
            _ => None,
        }
    }

    fn bytes(&self, place: Option<(u32, u32)>) -> Option<Vec<u8>> {
        let (at, length) = place?;
        Some(self.input.get(at as usize..at as usize + length as usize)?.to_vec())
    }

    /// Returns the string that an argument points at.
    fn text(&self, arg: Arg) -> Option<Vec<u8>> {
        let Arg::Input(at) = arg else { return None };
        let text = CStr::from_bytes_until_nul(self.input.get(at as usize..)?).ok()?;
        Some(text.to_bytes().to_vec())
    }
}

/// Makes room for `length` bytes altogether. Returns false if there is no memory for them, or if a message could not hold them.
fn reserve(bytes: &mut Vec<u8>, length: usize) -> bool {
    u32::try_from(length).is_ok() && bytes.try_reserve(length - bytes.len()).is_ok()
}

impl Arg {
    /// Returns the argument for a descriptor's number, which may be that of a slot.
    pub(crate) fn descriptor(fd: i32) -> Arg {
        if fd <= SLOT {
            Arg::Slot((SLOT - fd) as u32)
        } else {
            Arg::Number(fd as i64 as u64)
        }
    }

    /// Converts an argument of step `step` into one that a later step of the sequence can use.
    pub(crate) fn of(self, step: usize) -> Arg {
        match self {
            Arg::Input(at) => Arg::InputOf(step as u32, at),
            other => other,
        }
    }
}
