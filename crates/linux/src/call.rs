//! A system call as a value: its request, and the function that reads the answer.
//!
//! The functions that add an argument are not inlined: with a copy in each of two hundred calls the addon would be 3 %
//! larger.

mod answer;
mod near;
mod request;

pub use self::answer::Answer;
pub(crate) use self::near::capget as near_capget;
pub use self::near::Short;
pub use self::request::{Arg, Request, Yields, SLOT};
pub(crate) use self::request::{Named, Pointer};

use crate::error::Result;
use crate::wire::Policy;
use std::ffi::CStr;

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
            words: None,
            named: Named::Nothing,
            fstype: None,
            path_of: None,
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

    /// Says that the call returns how much of its work it has done: at most `all`. In a batch less than `all` is a failure.
    pub fn whole(self, all: u32) -> Call<u32> {
        self.at_most(all).yielding(Yields::Whole, |answer| answer.result as u32)
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

    /// Adds a number that says what the call is about. An error of the call names it.
    pub fn named_number(mut self, number: impl Into<i128>) -> Self {
        self.request.named = Named::Number(self.request.count as u8);
        self.number(number)
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
        let at = self.request.add_inout(bytes);
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
        self.holding(offset, width, Arg::descriptor(fd))
    }

    /// Says that the bytes added last hold the address of `bytes`.
    pub fn holding_bytes(mut self, offset: u32, bytes: &[u8]) -> Self {
        let to = self.request.add_input(bytes);
        self.holding(offset, 8, to)
    }

    /// Says that the call mounts a file system, whose name and options are its third and its fifth argument. An error of the
    /// call names both.
    pub fn mounts(mut self) -> Self {
        self.request.named = Named::FileSystem;
        self
    }

    /// Says which file system the call is about, for its error. An empty name is none.
    pub fn of_file_system(mut self, fstype: &[u8]) -> Self {
        if !fstype.is_empty() {
            self.request.fstype = Some((self.request.input.len() as u32, fstype.len() as u32));
            self.request.input.extend_from_slice(fstype);
        }
        self
    }

    /// Says that the first argument of the call, near, is the path below `/proc/self/fd` of a descriptor that the sequence makes. The
    /// call has no other bytes.
    pub(crate) fn path_of(mut self, slot: i32) -> Self {
        self.request.path_of = Some(Arg::descriptor(slot));
        self
    }

    /// Says that the first argument of the call is a file system context. An error of the call has the messages of the context,
    /// and names the parameter, which is the third argument if it is a string.
    pub fn on_context(mut self) -> Self {
        self.request.named = Named::Context;
        self
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

    /// Says which words describe an error of the call, in place of the kernel's.
    pub(crate) fn words(mut self, words: &'static str) -> Self {
        self.request.words = Some(words);
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

/// Returns the bytes of a C struct: 64-bit words at these offsets, and 0 everywhere else.
pub(crate) fn words<const SIZE: usize>(fields: &[(usize, u64)]) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    for (offset, word) in fields {
        bytes[*offset..offset + 8].copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}
