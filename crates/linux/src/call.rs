//! A system call as a value: its number and arguments, the bytes that the kernel reads and writes, and the function that
//! reads the answer.
//!
//! The functions that add an argument are not inlined: with a copy in each of two hundred calls the addon would be 3 %
//! larger.

mod answer;
mod near;

pub use self::answer::Answer;
pub use self::near::Short;

use crate::error::{Failure, Refusal, Result};
use crate::wire::Policy;
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
    /// A value that only the kernel knows. A batch cannot collect such a call.
    Value,
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
}

/// A system call as a value. The call does not know where it will run.
#[derive(Debug)]
pub struct Call<T> {
    pub(crate) request: Request,
    pub(crate) read: fn(&Answer) -> T,
}

const NONE: Arg = Arg::Number(0);

impl Call<()> {
    /// Makes the call `name` with number `nr` and no arguments. Arguments are added in the man page's order.
    #[inline(never)]
    pub fn new(name: &'static str, nr: i64) -> Self {
        let request = Request {
            name,
            nr: nr as u64,
            args: [NONE; 6],
            count: 0,
            out: Vec::new(),
            room: 0,
            input: Vec::new(),
            pointers: Vec::new(),
            paths: [None; 2],
            policy: Policy::Stop,
            one_thread: false,
            clears_death_signal: false,
            closes: None,
            takes: None,
            yields: Yields::Nothing,
            notice: false,
            longest: None,
            lacks_memory: false,
        };
        Call { request, read: |_| () }
    }

    /// Says that the call has a value, which `read` takes from the answer.
    pub fn value<T>(self, read: fn(&Answer) -> T) -> Call<T> {
        self.yielding(Yields::Value, read)
    }

    /// Says that the call returns how many bytes or numbers it has written or read, and never more than `longest`.
    pub fn at_most(mut self, longest: u32) -> Self {
        self.request.longest = Some(longest.into());
        self
    }

    /// Says that the call returns a new descriptor.
    pub fn descriptor(self) -> Call<i32> {
        self.yielding(Yields::Descriptor, |answer| answer.result as i32)
    }

    /// Says that the call writes two new descriptors to the start of its output.
    pub fn pair(self) -> Call<[i32; 2]> {
        self.yielding(Yields::Pair, |answer| [0, 4].map(|at| answer.u32(at) as i32))
    }

    fn yielding<T>(mut self, yields: Yields, read: fn(&Answer) -> T) -> Call<T> {
        self.request.yields = yields;
        Call { request: self.request, read }
    }

    /// Adds an argument of any kind.
    pub fn arg(mut self, arg: Arg) -> Self {
        self.request.add_arg(arg);
        self
    }

    /// Adds a number.
    pub fn number(mut self, number: impl Into<i128>) -> Self {
        self.request.add_number(number.into() as u64);
        self
    }

    /// Adds a descriptor of the process that makes the call, or the slot of a descriptor that the sequence will make.
    pub fn fd(mut self, fd: i32) -> Self {
        self.request.add_fd(fd);
        self
    }

    /// Adds a path. An error of the call names it.
    #[inline(never)]
    pub fn path(mut self, path: &[u8]) -> Self {
        let place = Some((self.request.input.len() as u32, path.len() as u32));
        match &mut self.request.paths {
            [first @ None, _] => *first = place,
            [_, second] => *second = place,
        }
        self.string(path)
    }

    /// Adds a NUL-terminated string.
    #[inline(never)]
    pub fn string(mut self, string: &[u8]) -> Self {
        let at = self.request.input.len() as u32;
        self.request.input.extend_from_slice(string);
        self.request.input.push(0);
        self.arg(Arg::Input(at))
    }

    /// Adds a NUL-terminated string, or a null pointer.
    pub fn string_or_null(self, string: Option<&[u8]>) -> Self {
        match string {
            Some(string) => self.string(string),
            None => self.number(0),
        }
    }

    /// Adds the address of bytes that the kernel reads.
    #[inline(never)]
    pub fn input(mut self, bytes: &[u8]) -> Self {
        let at = self.request.add_input(bytes);
        self.arg(at)
    }

    /// Adds the address of bytes that the kernel reads and writes. [`Answer::out`] has them afterwards.
    pub fn inout(mut self, bytes: &[u8]) -> Self {
        let at = self.request.add_out(0);
        if reserve(&mut self.request.out, at as usize + bytes.len()) {
            self.request.out.extend_from_slice(bytes);
        } else {
            self.request.lacks_memory = true;
        }
        self.arg(Arg::Out(at))
    }

    /// Adds the address of `length` bytes that the kernel writes.
    #[inline(never)]
    pub fn output(mut self, length: usize) -> Self {
        let at = self.request.add_out(length);
        self.arg(Arg::Out(at))
    }

    /// Adds the address of up to `length` bytes that the kernel writes, as many as the result of the call says. No memory is
    /// used for the others.
    pub fn output_up_to(mut self, length: usize) -> Self {
        self.request.room = length;
        self.arg(Arg::Out(0))
    }

    /// Makes room for `length` bytes that the kernel writes through a pointer inside of another argument.
    pub fn reserve(mut self, length: usize) -> Self {
        self.request.add_out(length);
        self
    }

    /// Adds the address of a NULL-terminated array of pointers to NUL-terminated strings.
    pub fn strings(self, strings: &[Vec<u8>]) -> Self {
        let block: Vec<u8> = strings.iter().flat_map(|string| string.iter().copied().chain([0])).collect();
        self.string_block(&block)
    }

    /// Adds the address of a NULL-terminated array of pointers to the strings in a block, in which a NUL follows each of them.
    pub fn string_block(mut self, block: &[u8]) -> Self {
        let Arg::Input(mut string) = self.request.add_input(block) else { return self };
        self.request.input.push(0); // ends a last string without a NUL too
        let table = self.request.add_input(&[]);
        let Arg::Input(mut place) = table else { return self };
        let mut rest = block;
        while !rest.is_empty() {
            let length = CStr::from_bytes_until_nul(rest).map_or(rest.len(), |string| string.count_bytes() + 1);
            self.request.pointers.push(Pointer { at: Arg::Input(place), to: Arg::Input(string), width: 8 });
            string += length as u32;
            place += 8;
            rest = rest.get(length..).unwrap_or_default();
        }
        self.request.input.resize(place as usize + 8, 0);
        self.arg(table)
    }

    /// Says that the bytes added last hold an address or a descriptor: `to`, in `width` bytes at `offset`.
    #[inline(never)]
    pub fn holding(mut self, offset: u32, width: u8, to: Arg) -> Self {
        let at = match self.request.args.iter().take(self.request.count).next_back() {
            Some(Arg::Input(at)) => Arg::Input(at + offset),
            Some(Arg::Out(at)) => Arg::Out(at + offset),
            other => other.copied().unwrap_or(NONE),
        };
        self.request.pointers.push(Pointer { at, to, width });
        self
    }

    /// Says that the bytes added last hold a descriptor.
    pub fn holding_fd(self, offset: u32, width: u8, fd: i32) -> Self {
        self.holding(offset, width, descriptor(fd))
    }

    /// Says that the bytes added last hold the address of `bytes`.
    pub fn holding_bytes(mut self, offset: u32, bytes: &[u8]) -> Self {
        let to = self.request.add_input(bytes);
        self.holding(offset, 8, to)
    }

    /// Says that the kernel applies the call to the calling thread alone. Near, the call is refused.
    pub fn one_thread(mut self) -> Self {
        self.request.one_thread = true;
        self
    }

    /// Says that the call closes the descriptor that was added last.
    pub fn closes(mut self) -> Self {
        let last = self.request.count as u8 - 1;
        self.request.closes = Some([last, last]);
        self
    }

    /// Says that the call closes all descriptors from the first to the second of the two numbers that were added last.
    pub fn closes_range(mut self) -> Self {
        let last = self.request.count as u8 - 1;
        self.request.closes = Some([last - 1, last]);
        self
    }

    /// Says that the call gives the number added last to another file, and closes the descriptor that had the number.
    pub fn takes_number(mut self) -> Self {
        self.request.takes = Some(self.request.count as u8 - 1);
        self
    }

    /// Says that the kernel clears the caller's death signal with the call. A task sets the signal again afterwards.
    pub fn clears_death_signal(mut self) -> Self {
        self.request.clears_death_signal = true;
        self
    }
}

impl<T> Call<T> {
    /// Says which path an error of the call names, in place of a path among the arguments.
    pub(crate) fn about(mut self, path: &[u8]) -> Self {
        self.request.paths[0] = Some((self.request.input.len() as u32, path.len() as u32));
        self.request.input.extend_from_slice(path);
        self
    }

    /// Lets a sequence go on with the next step when the kernel refuses this call.
    pub fn go_on(mut self) -> Self {
        self.request.policy = Policy::GoOn;
        self
    }

    /// Lets a sequence go on with the next step when the kernel refuses this call with an error after which execvp(3)
    /// tries the next folder.
    pub(crate) fn search(mut self) -> Self {
        self.request.policy = Policy::Search;
        self
    }

    /// Replaces the function that reads the answer.
    pub fn reading<U>(self, read: fn(&Answer) -> U) -> Call<U> {
        Call { request: self.request, read }
    }

    /// Makes the call in the calling thread.
    pub fn near(self) -> Result<T> {
        let (result, out) = self.request.near()?;
        Ok((self.read)(&Answer { result, out: &out }))
    }
}

impl Request {
    #[inline(never)]
    fn add_arg(&mut self, arg: Arg) {
        debug_assert!(self.count < self.args.len(), "a system call has at most six arguments");
        if let Some(place) = self.args.get_mut(self.count) {
            *place = arg;
            self.count += 1;
        }
    }

    #[inline(never)]
    fn add_number(&mut self, number: u64) {
        self.add_arg(Arg::Number(number));
    }

    #[inline(never)]
    fn add_fd(&mut self, fd: i32) {
        self.add_arg(descriptor(fd));
    }

    #[inline(never)]
    fn add_input(&mut self, bytes: &[u8]) -> Arg {
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
    fn add_out(&mut self, length: usize) -> u32 {
        let at = self.out.len().next_multiple_of(8);
        if reserve(&mut self.out, at + length) {
            self.out.resize(at + length, 0);
        } else {
            self.lacks_memory = true;
        }
        at as u32
    }

    /// Returns the length of all outputs.
    pub(crate) fn out_length(&self) -> usize {
        self.out.len() + self.room
    }

    /// Returns the failure for an error number of the kernel.
    pub(crate) fn refusal(&self, number: i32, step: Option<u32>) -> Failure {
        let bytes = |(at, length): (u32, u32)| self.input.get(at as usize..at as usize + length as usize);
        let [path, dest] = self.paths.map(|place| place.and_then(bytes).map(<[u8]>::to_vec));
        Failure::Refused(Refusal { path, dest, step, ..Refusal::new(self.name, number) })
    }
}

/// Makes room for `length` bytes altogether. Returns false if there is no memory for them, or if a message could not hold them.
fn reserve(bytes: &mut Vec<u8>, length: usize) -> bool {
    u32::try_from(length).is_ok() && bytes.try_reserve(length - bytes.len()).is_ok()
}

impl Arg {
    /// Converts an argument of step `step` into one that a later step of the sequence can use.
    pub(crate) fn of(self, step: usize) -> Arg {
        match self {
            Arg::Input(at) => Arg::InputOf(step as u32, at),
            other => other,
        }
    }
}

fn descriptor(fd: i32) -> Arg {
    if fd <= SLOT {
        Arg::Slot((SLOT - fd) as u32)
    } else {
        Arg::Number(fd as i64 as u64)
    }
}

/// Returns the bytes of a C struct: 64-bit words at these offsets, and 0 everywhere else.
pub(crate) fn words<const SIZE: usize>(fields: &[(usize, u64)]) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    for (offset, word) in fields {
        bytes[*offset..offset + 8].copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}
