//! Making a call in the calling thread.

use super::{Answer, Arg, Call, Pointer, Request, Yields};
use crate::error::{Failure, Refusal, Result};
use crate::owned;
use nix::errno::Errno;

/// Returns the number that an argument stands for which an earlier call of the sequence decides. `None`: there is no such number.
pub(crate) type Known<'a> = &'a dyn Fn(Arg) -> Option<u64>;

impl Request {
    /// Makes the call in the calling thread. Returns the result and the bytes that the kernel has written.
    pub(crate) fn near(mut self) -> Result<(i64, Vec<u8>)> {
        let result = self.make_near(&|_| None)?;
        Ok((result, self.out))
    }

    /// Makes the call in the calling thread. `known` returns what earlier calls of the sequence have led to.
    pub(crate) fn make_near(&mut self, known: Known) -> Result<i64> {
        if self.one_thread {
            return Err(self.multithreaded());
        }
        if let Some(slot) = self.path_of {
            self.input = format!("/proc/self/fd/{}", self.word(slot, known) as i32).into_bytes();
            self.paths[0] = Some((0, self.input.len() as u32));
            self.input.push(0);
        }
        for Pointer { at, to, width } in std::mem::take(&mut self.pointers) {
            let word = self.word(to, known).to_ne_bytes();
            let (bytes, at) = match at {
                Arg::Input(at) => (&mut self.input, at as usize),
                Arg::Out(at) => (&mut self.out, at as usize),
                _ => continue,
            };
            let word = word.into_iter().take(width.into());
            bytes.iter_mut().skip(at).zip(word).for_each(|(place, byte)| *place = byte);
        }
        if self.room > 0 && self.out.try_reserve_exact(self.room).is_err() {
            return Err(self.refusal(libc::ENOMEM, None));
        }
        let args = self.args.map(|arg| self.word(arg, known));
        if let Some(closed) = self.closes {
            // Before the call: as soon as close(2) has freed the number, another thread may get it, even with an error.
            let [first, last] = closed.map(|at| {
                let number = args.get(usize::from(at)).map(|number| *number as u32);
                number.and_then(|number| i32::try_from(number).ok()).unwrap_or(i32::MAX)
            });
            owned::forget(first, last);
        }
        // SAFETY: the addresses among the arguments lie in `input` and `out`, which outlive the call; their lengths
        // are what the function that described the call says. `out` has memory for `room` bytes more.
        let result = unsafe { make(self.nr, args) }.map_err(|number| self.refusal(number, None))?;
        if self.room > 0 {
            let written = usize::try_from(result).unwrap_or(0).min(self.room);
            // SAFETY: `out` was empty and has memory for `room` bytes. The kernel has written `written` of them.
            unsafe { self.out.set_len(written) };
        }
        let answer = Answer { result, out: &self.out };
        match self.yields {
            Yields::Descriptor => owned::add(result as i32),
            Yields::Pair => [0, 4].map(|at| answer.u32(at) as i32).into_iter().for_each(owned::add),
            Yields::Nothing | Yields::Whole | Yields::Value => {}
        }
        Ok(result)
    }

    /// Returns the arguments of a call that uses no memory but its input. They are good as long as the request is not changed.
    pub(crate) fn near_args(&mut self) -> [u64; 6] {
        self.args.map(|arg| self.word(arg, &|_| None))
    }

    fn word(&mut self, arg: Arg, known: Known) -> u64 {
        match arg {
            Arg::Number(number) => number,
            Arg::Out(at) => self.out.as_mut_ptr() as u64 + at as u64,
            Arg::Input(at) => self.input.as_mut_ptr() as u64 + at as u64,
            other => known(other).unwrap_or(u64::MAX),
        }
    }
}

/// A call that takes numbers alone and returns a number. [`crate::target::run_short`] makes it near without a [`Call`],
/// which takes longer to build than the kernel takes to answer.
#[derive(Clone, Copy, Debug)]
pub struct Short {
    name: &'static str,
    nr: i64,
}

impl Short {
    /// Describes the call `name` with number `nr`. No argument of the call may be an address.
    pub(crate) const fn new(name: &'static str, nr: i64) -> Self {
        Short { name, nr }
    }

    /// Returns the call as a [`Call`] without arguments.
    pub(crate) fn call(self) -> Call<()> {
        Call::new(self.name, self.nr)
    }

    /// Makes the call in the calling thread.
    #[inline]
    pub(crate) fn near(self, [a, b, c, d]: [i64; 4]) -> Result<i64> {
        let args = [a as u64, b as u64, c as u64, d as u64, 0, 0];
        // SAFETY: no argument is an address, as `Short::new` demands, so the kernel touches no memory of this process.
        unsafe { make(self.nr as u64, args) }.map_err(|number| Failure::Refused(Refusal::new(self.name, number)))
    }
}

/// `capget(&header, &data)` in the calling thread, without a [`Call`], which takes longer to build than the kernel takes to answer. The
/// header has the version 3, with which the kernel writes six words.
pub(crate) fn capget([version, pid]: [u32; 2]) -> Result<[u32; 6]> {
    let (mut header, mut sets) = ([version, pid], [0; 6]);
    let args = [header.as_mut_ptr() as u64, sets.as_mut_ptr() as u64, 0, 0, 0, 0];
    // SAFETY: both arrays outlive the call. The kernel uses two words of the first one, and for no version more than six of the second.
    unsafe { make(libc::SYS_capget as u64, args) }
        .map_err(|number| Failure::Refused(Refusal::new("capget", number)))?;
    Ok(sets)
}

/// Makes a system call, and returns its result or its error number.
///
/// # Safety
/// Each address among the arguments points to memory that the kernel may use as this call does, until it returns.
unsafe fn make(nr: u64, [a, b, c, d, e, f]: [u64; 6]) -> std::result::Result<i64, i32> {
    // SAFETY: the caller promises that every address points to memory that the kernel may use for this call.
    match unsafe { libc::syscall(nr as i64, a, b, c, d, e, f) } {
        -1 => Err(Errno::last_raw()),
        result => Ok(result),
    }
}
