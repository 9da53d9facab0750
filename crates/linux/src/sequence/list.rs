//! A sequence: calls that travel to a task together, and what came back.

use crate::call::{Answer, Arg, Call, Request, Yields, SLOT};
use crate::calls::descriptor;
use crate::calls::process;
use crate::error::{refused, Failure, Result};
use crate::task::exec::refuse_orphan;
use crate::wire::{self, Header, Policy, Reloc, Step};
use nix::errno::Errno;
use std::mem::size_of;

const HEADER: usize = size_of::<Header>();
const STEP: usize = size_of::<Step>();
const RELOC: usize = size_of::<Reloc>();

/// Calls in the order in which they run.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    requests: Vec<Request>,
    slots: Vec<Slot>,
}

/// Where a descriptor that a sequence makes will be found: a call's result, or an `int` in its output.
#[derive(Clone, Copy, Debug)]
struct Slot {
    step: usize,
    output: Option<usize>,
}

/// What the steps of a sequence that ran came to.
#[derive(Debug)]
pub struct Reply {
    /// How many steps ran, counting one that failed and stopped the sequence.
    done: usize,
    results: Vec<i64>,
    out: Vec<u8>,
    bases: Vec<usize>,
}

impl Sequence {
    /// Adds a call and returns what stands for its result until the sequence has run.
    pub fn push<T>(&mut self, call: Call<T>) -> Result<T> {
        let Call { request, read } = call;
        // Where the call itself will be.
        let step = self.requests.len() + usize::from(request.clears_death_signal);
        let mut placeholder = |output| {
            self.slots.push(Slot { step, output });
            SLOT - (self.slots.len() as i32 - 1)
        };
        let value = match request.yields {
            Yields::Nothing => read(&Answer { result: 0, out: &[] }),
            Yields::Descriptor => read(&Answer { result: placeholder(None) as i64, out: &[] }),
            Yields::Pair => {
                let pair = [placeholder(Some(0)), placeholder(Some(4))].map(i32::to_ne_bytes);
                read(&Answer { result: 0, out: &pair.concat() })
            }
            Yields::Value => return Err(Failure::Batch(request.name)),
        };
        self.add(request);
        Ok(value)
    }

    /// Adds a call whose result the reply is asked for, and returns its index.
    pub fn step<T>(&mut self, call: Call<T>) -> usize {
        self.add(call.request)
    }

    fn add(&mut self, request: Request) -> usize {
        if !request.clears_death_signal {
            self.requests.push(request);
            return self.requests.len() - 1;
        }
        let first = self.requests.len();
        // Where a filter of the task's own forbids it, there is nothing to keep: the call itself is what was asked for.
        self.requests.push(process::get_death_signal().go_on().request);
        self.requests.push(request);
        self.step(process::restore_death_signal(Arg::Written(first as u32)).go_on());
        // Node may have died while there was none.
        refuse_orphan(self, 0);
        for (index, request) in self.requests.iter_mut().enumerate().skip(first) {
            request.aside = index != first + 1;
        }
        first + 1
    }

    /// How many steps there are that somebody has asked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked_before(self.requests.len())
    }

    fn asked_before(&self, step: usize) -> usize {
        self.requests[..step].iter().filter(|request| !request.aside).count()
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Adds the steps of another one.
    pub(crate) fn extend(&mut self, other: &Sequence) {
        self.requests.extend(other.requests.iter().cloned());
    }

    /// Whether another file takes the place of this descriptor.
    pub(crate) fn replaces(&self, fd: i32) -> bool {
        let target = Arg::Number(fd as u64);
        self.requests.iter().any(|request| request.nr == libc::SYS_dup3 as u64 && request.args[1] == target)
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Writes the sequence as a message, and returns the length that a reply in the same memory can have.
    pub fn encode(&self, message: &mut Vec<u8>) -> usize {
        encode(&self.requests.iter().collect::<Vec<_>>(), &self.slots, message)
    }

    /// How long a reply can be.
    pub fn reply_length(&self) -> usize {
        HEADER + STEP * self.requests.len() + bases(self.requests.iter()).0
    }

    /// Reads the reply that came in place of the message.
    pub fn decode(&self, message: &[u8]) -> Result<Reply> {
        let header = header(message)?;
        let steps = self.requests.len();
        let (done, end) = (header.done as usize, HEADER + STEP * steps);
        if done > steps || message.len() < end + header.out as usize {
            return Err(Failure::Broken(format!("the reply of {} bytes does not fit its sequence", message.len())));
        }
        let results = (0..done).map(|index| result(message, index)).collect();
        let bases = bases(self.requests.iter()).1;
        Ok(Reply { done, results, out: message[end..end + header.out as usize].to_vec(), bases })
    }

    /// The first failure of a step, counting from `first`, that was not told to go on.
    pub fn failure(&self, reply: &Reply, first: usize) -> Option<Failure> {
        let last = reply.done.checked_sub(1)?;
        let number = reply.error(last)?;
        let request = self.requests.get(last).filter(|request| last >= first && request.policy != Policy::GoOn)?;
        Some(request.refusal(number, Some(self.asked_before(last) as u32)))
    }

    /// The descriptors that the sequence made, in the order of their placeholders; -1 where it did not get that far, or has
    /// closed or replaced it again: the number may be somebody else's.
    pub fn made(&self, reply: &Reply) -> Vec<i32> {
        let number = |slot: &Slot| {
            let result = reply.results.get(slot.step).copied().filter(|result| *result >= 0)?;
            Some(match slot.output {
                None => result as i32,
                Some(at) => reply.answer(slot.step)?.u32(at) as i32,
            })
        };
        let mut made: Vec<i32> = self.slots.iter().map(|slot| number(slot).unwrap_or(-1)).collect();
        for index in 1..made.len() {
            let (before, replaced) = made.split_at_mut(index);
            before.iter_mut().filter(|fd| **fd == replaced[0]).for_each(|fd| *fd = -1);
        }
        for (step, request) in self.requests.iter().enumerate() {
            if let (true, Arg::Slot(slot)) = (request.nr == libc::SYS_close as u64, request.args[0]) {
                if reply.result(step).is_some_and(|result| result >= 0) {
                    made[slot as usize] = -1;
                }
            }
        }
        made
    }

    /// Runs the sequence in the calling thread, as a task would. What it had made is closed when a call fails.
    pub fn near(mut self) -> (Vec<i32>, Option<Failure>) {
        // Before anything has been done.
        if let Some(request) = self.requests.iter().find(|request| request.one_thread) {
            return (vec![-1; self.slots.len()], Some(Failure::Multithreaded(request.name)));
        }
        let mut made: Vec<i32> = Vec::new();
        let mut failure = None;
        for (step, request) in self.requests.iter_mut().enumerate() {
            let go_on = request.policy == Policy::GoOn;
            match request.make_near(|slot| made.get(slot as usize).copied()) {
                Ok(_) if request.nr == libc::SYS_close as u64 => {
                    // The number may be somebody else's from now on.
                    if let Arg::Slot(slot) = request.args[0] {
                        made[slot as usize] = -1;
                    }
                }
                Ok(result) => made.extend(self.slots.iter().filter(|slot| slot.step == step).map(|slot| {
                    let answer = Answer { result, out: &request.out };
                    slot.output.map_or(result as i32, |at| answer.u32(at) as i32)
                })),
                Err(_) if go_on => {}
                Err(Failure::Refused(mut refusal)) => {
                    refusal.step = Some(step as u32);
                    failure = Some(Failure::Refused(refusal));
                    break;
                }
                Err(other) => {
                    failure = Some(other);
                    break;
                }
            }
        }
        if failure.is_some() {
            for fd in made.drain(..).filter(|fd| *fd >= 0) {
                // Nothing is to be done about a descriptor that will not close: the kernel has freed its number.
                let _ = descriptor::close(fd).near();
            }
        }
        made.resize(self.slots.len(), -1);
        (made, failure)
    }
}

impl Reply {
    /// Whether the sequence ended with this step or before.
    pub(crate) fn ended_before(&self, step: usize) -> bool {
        self.done < step
    }

    /// What a step returned; `None` where the sequence did not get that far.
    pub fn result(&self, step: usize) -> Option<i64> {
        self.results.get(step).copied()
    }

    /// What the kernel answered to a step that it did not refuse.
    pub fn answer(&self, step: usize) -> Option<Answer<'_>> {
        let result = self.result(step).filter(|result| *result >= 0)?;
        Some(Answer { result, out: self.out.get(*self.bases.get(step)?..)? })
    }

    /// With what a step was refused.
    pub fn errno(&self, step: usize) -> Option<Errno> {
        self.error(step).map(Errno::from_raw)
    }

    /// The same, as a number.
    pub(crate) fn error(&self, step: usize) -> Option<i32> {
        refusal(self.result(step)?)
    }
}

/// Writes one call as a message; see [`Sequence::encode`].
pub(crate) fn encode_one(request: &Request, message: &mut Vec<u8>) -> usize {
    encode(&[request], &[], message)
}

/// Reads the answer to one call.
pub(crate) fn decode_one<'a>(request: &Request, message: &'a [u8]) -> Result<Answer<'a>> {
    let header = header(message)?;
    let end = HEADER + STEP;
    let out = message.get(end..end + header.out as usize);
    let (1, Some(out)) = (header.done, out) else {
        return Err(Failure::Broken(format!("the reply of {} bytes does not fit its call", message.len())));
    };
    let result = result(message, 0);
    match refusal(result) {
        Some(number) => Err(request.refusal(number, None)),
        None => Ok(Answer { result, out: &out[..request.out.len()] }),
    }
}

/// The number of the error that a call has returned.
fn refusal(result: i64) -> Option<i32> {
    (-4095..0).contains(&result).then_some(-result as i32)
}

fn header(message: &[u8]) -> Result<Header> {
    let Some(bytes) = message.get(..HEADER) else {
        return Err(Failure::Broken(format!("a reply of {} bytes", message.len())));
    };
    // SAFETY: as many bytes as a header has, any of which are a valid one; they need not be aligned.
    let header = unsafe { bytes.as_ptr().cast::<Header>().read_unaligned() };
    match header.status {
        0 if header.version == wire::VERSION => Ok(header),
        status => Err(refused("recvmsg", Errno::from_raw(-status))),
    }
}

fn result(message: &[u8], index: usize) -> i64 {
    let at = HEADER + STEP * index + std::mem::offset_of!(Step, result);
    i64::from_ne_bytes(message[at..at + 8].try_into().expect("eight bytes"))
}

/// Length of all outputs, and where each begins.
fn bases<'a>(requests: impl Iterator<Item = &'a Request>) -> (usize, Vec<usize>) {
    let mut total = 0;
    let starts = requests.map(|request| {
        let start = total;
        total += request.out.len().next_multiple_of(8);
        start
    });
    let starts = starts.collect();
    (total, starts)
}

fn encode(requests: &[&Request], slots: &[Slot], message: &mut Vec<u8>) -> usize {
    let (out, out_bases) = bases(requests.iter().copied());
    let mut blob = out;
    let mut in_bases = Vec::with_capacity(requests.len());
    let mut relocs = Vec::new();
    message.clear();
    message.resize(HEADER, 0);
    for (index, request) in requests.iter().enumerate() {
        in_bases.push(blob);
        let resolve = |arg| match arg {
            Arg::Number(number) => (wire::NUMBER, number),
            Arg::Out(at) => (wire::BLOB, out_bases[index] as u64 + at as u64),
            Arg::Input(at) => (wire::BLOB, blob as u64 + at as u64),
            Arg::InputOf(step, at) => (wire::BLOB, in_bases[step as usize] as u64 + at as u64),
            Arg::Result(step) => (wire::RESULT, step as u64),
            Arg::Written(step) => (wire::LOAD, out_bases[step as usize] as u64),
            Arg::Passed(which) => (wire::FD, which as u64),
            Arg::Channel(plus) => (wire::CHANNEL, plus as u64),
            Arg::Slot(slot) => match slots.get(slot as usize) {
                Some(Slot { step, output: None }) => (wire::RESULT, *step as u64),
                Some(Slot { step, output: Some(at) }) => (wire::LOAD, (out_bases[*step] + at) as u64),
                None => (wire::NUMBER, u64::MAX),
            },
        };
        let args = request.args.map(resolve);
        let step = Step {
            nr: request.nr,
            args: args.map(|(_, value)| value),
            result: 0,
            kinds: args.map(|(kind, _)| kind),
            policy: request.policy as u8,
            pad: 0,
        };
        // SAFETY: a step has no padding, so all its bytes may be read.
        message.extend_from_slice(unsafe { bytes_of(&step) });
        for pointer in &request.pointers {
            let (kind, value) = resolve(pointer.to);
            relocs.push(Reloc {
                at: resolve(pointer.at).1 as u32,
                step: index as u32,
                value: value as u32,
                kind,
                width: pointer.width,
                pad: 0,
            });
        }
        blob += request.input.len().next_multiple_of(8);
    }
    let bodies = requests.iter().map(|request| &request.out).chain(requests.iter().map(|request| &request.input));
    for bytes in bodies {
        message.extend_from_slice(bytes);
        message.resize(message.len().next_multiple_of(8), 0);
    }
    for reloc in &relocs {
        // SAFETY: a relocation has no padding, so all its bytes may be read.
        message.extend_from_slice(unsafe { bytes_of(reloc) });
    }
    let header = Header {
        version: wire::VERSION,
        steps: requests.len() as u32,
        relocs: relocs.len() as u32,
        blob: blob as u32,
        out: out as u32,
        ..Header::default()
    };
    // SAFETY: a header has no padding, so all its bytes may be read.
    message[..HEADER].copy_from_slice(unsafe { bytes_of(&header) });
    HEADER + STEP * requests.len() + out
}

/// The memory of `value`.
///
/// # Safety
/// `T` has no padding.
unsafe fn bytes_of<T>(value: &T) -> &[u8] {
    // SAFETY: reads exactly the value, for as long as it is borrowed; the caller promises that no byte is padding.
    unsafe { std::slice::from_raw_parts((value as *const T).cast(), size_of::<T>()) }
}

const _: () = assert!(HEADER == 32 && STEP == 72 && RELOC == 16, "the wire structs have no padding");
