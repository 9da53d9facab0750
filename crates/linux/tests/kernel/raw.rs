//! Sequences and replies that a test writes and reads byte by byte. A test can also write a sequence that the crate would
//! never send.

use nearfar_linux::wire::{self, Header, Policy, Reloc, Step};
use std::os::fd::OwnedFd;

/// A sequence that can still be changed. A test may give it a header that is wrong.
#[derive(Clone, Debug)]
pub struct Raw {
    pub header: Header,
    pub steps: Vec<Step>,
    pub blob: Vec<u8>,
    pub relocs: Vec<Reloc>,
}

/// Returns a step whose failure ends the sequence. Each argument is a kind and a value.
pub fn step(nr: u64, args: &[(u8, u64)]) -> Step {
    let mut step = Step { nr, ..Step::default() };
    for (at, (kind, value)) in args.iter().enumerate() {
        step.kinds[at] = *kind;
        step.args[at] = *value;
    }
    step
}

/// Returns the same step, but its failure does not end the sequence.
pub fn go_on(step: Step) -> Step {
    Step { policy: Policy::GoOn as u8, ..step }
}

/// Returns the same step, but it gives the number in one of its arguments, counted from 1, to another file.
pub fn taking(step: Step, takes: u8) -> Step {
    Step { takes, ..step }
}

pub fn reloc(at: u32, step: u32, kind: u8, value: u32, width: u8) -> Reloc {
    Reloc { at, step, value, kind, width, pad: 0 }
}

impl Raw {
    /// Returns a sequence whose header is right. The whole blob is its output part.
    pub fn new(steps: Vec<Step>, blob: Vec<u8>, relocs: Vec<Reloc>) -> Self {
        let header = Header {
            version: wire::VERSION,
            steps: steps.len() as u32,
            relocs: relocs.len() as u32,
            blob: blob.len() as u32,
            out: blob.len() as u32,
            ..Header::default()
        };
        Raw { header, steps, blob, relocs }
    }

    /// Reads a message. A long one has its header alone.
    pub fn parse(message: &[u8]) -> Self {
        let header: Header = value(message);
        let mut rest = &message[size_of::<Header>()..];
        let steps = rest.split_off(..(header.steps as usize * size_of::<Step>()).min(rest.len())).unwrap_or_default();
        let blob = rest.split_off(..(header.blob as usize).min(rest.len())).unwrap_or_default();
        Raw {
            header,
            steps: steps.chunks_exact(size_of::<Step>()).map(value).collect(),
            blob: blob.to_vec(),
            relocs: rest.chunks_exact(size_of::<Reloc>()).map(value).collect(),
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        [memory(&[self.header]), memory(&self.steps), &self.blob, memory(&self.relocs)].concat()
    }
}

/// A struct of the wire. The structs of the wire have no padding.
trait Wire: Copy {}
impl Wire for Header {}
impl Wire for Step {}
impl Wire for Reloc {}

fn memory<T: Wire>(values: &[T]) -> &[u8] {
    // SAFETY: the slice is exactly the memory of the values, for as long as they are borrowed. A `Wire` has no padding.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

fn value<T: Wire>(bytes: &[u8]) -> T {
    assert!(bytes.len() >= size_of::<T>(), "an answer ends after {} of {} bytes", bytes.len(), size_of::<T>());
    // SAFETY: `bytes` has the length of the struct, and any bytes are a valid one. `read_unaligned` needs no alignment.
    unsafe { bytes.as_ptr().cast::<T>().read_unaligned() }
}

/// The reply of a stub.
#[derive(Debug)]
pub struct Answer {
    pub header: Header,
    pub results: Vec<i64>,
    pub out: Vec<u8>,
    pub fds: Vec<OwnedFd>,
}

impl Answer {
    /// Reads a message. For a sequence in a memfd, that is the header of the message and then the rest of the memfd.
    pub fn parse(bytes: &[u8], fds: Vec<OwnedFd>) -> Self {
        let header: Header = value(bytes);
        let rest = &bytes[size_of::<Header>()..];
        let steps = if rest.is_empty() { 0 } else { header.steps as usize * size_of::<Step>() };
        let (steps, out) = rest.split_at(steps);
        let results = steps.chunks_exact(size_of::<Step>()).map(|step| value::<Step>(step).result).collect();
        Answer { header, results, out: out.to_vec(), fds }
    }

    /// Returns the status, how many steps ran, and the results of all steps.
    pub fn summary(&self) -> (i32, u32, &[i64]) {
        (self.header.status, self.header.done, &self.results)
    }
}
