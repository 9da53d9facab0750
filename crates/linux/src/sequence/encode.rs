//! How calls become the message that [`crate::wire`] describes.

use crate::call::{Arg, Pointer, Request};
use crate::error::{refused, Result};
use crate::sequence::expected::{outputs, Expected, HEADER, STEP};
use crate::sequence::list::{Sequence, Slot};
use crate::wire::{self, Header, Reloc, Step};
use nix::errno::Errno;

const RELOC: usize = size_of::<Reloc>();

impl Sequence {
    /// Writes the sequence as a message, and returns what the reply to it looks like. ENOMEM: there is no memory for the message.
    pub fn encode(&self, message: &mut Vec<u8>) -> Result<Expected> {
        encode(&self.requests, &self.slots, message)
    }
}

/// Writes one call as a message, and returns what the reply to it looks like.
pub(crate) fn encode_one(request: &Request, message: &mut Vec<u8>) -> Result<Expected> {
    encode(std::slice::from_ref(request), &[], message)
}

/// Where the bytes of the calls lie in the blob: all outputs first, then all inputs.
struct Layout<'a> {
    slots: &'a [Slot],
    outputs: Vec<usize>,
    inputs: Vec<usize>,
    /// The length of the blob.
    length: usize,
}

impl<'a> Layout<'a> {
    /// Lays out the calls, whose outputs take `out` bytes.
    fn of(requests: &[Request], slots: &'a [Slot], out: usize, outputs: Vec<usize>) -> Self {
        let mut length = out;
        let inputs = requests.iter().map(|request| {
            let start = length;
            length += request.input.len().next_multiple_of(8);
            start
        });
        Layout { slots, outputs, inputs: inputs.collect(), length }
    }

    /// Returns the kind and the value of an argument of a call.
    #[expect(
        clippy::indexing_slicing,
        reason = "a call names itself or an earlier call, and the layout has all of them"
    )]
    fn resolve(&self, step: usize, arg: Arg) -> (u8, u64) {
        match arg {
            Arg::Number(number) => (wire::NUMBER, number),
            Arg::Out(at) => (wire::BLOB, self.outputs[step] as u64 + at as u64),
            Arg::Input(at) => (wire::BLOB, self.inputs[step] as u64 + at as u64),
            Arg::InputOf(step, at) => (wire::BLOB, self.inputs[step as usize] as u64 + at as u64),
            Arg::Result(step) => (wire::RESULT, step as u64),
            Arg::Written(step) => (wire::LOAD, self.outputs[step as usize] as u64),
            Arg::WrittenAt(step, at) => (wire::LOAD, self.outputs[step as usize] as u64 + at as u64),
            Arg::Passed(index) => (wire::FD, index as u64),
            Arg::Channel(plus) => (wire::CHANNEL, plus as u64),
            Arg::Slot(slot) => match self.slots.get(slot as usize) {
                Some(Slot { step, output: None }) => (wire::RESULT, *step as u64),
                Some(Slot { step, output: Some(at) }) => (wire::LOAD, (self.outputs[*step] + at) as u64),
                None => (wire::NUMBER, u64::MAX),
            },
        }
    }

    fn step(&self, step: usize, request: &Request) -> Step {
        let (mut args, mut kinds) = ([0; 6], [wire::NUMBER; 6]);
        for ((kind, value), arg) in kinds.iter_mut().zip(&mut args).zip(&request.args).take(request.count) {
            (*kind, *value) = self.resolve(step, *arg);
        }
        Step {
            nr: request.nr,
            args,
            result: 0,
            kinds,
            policy: request.policy as u8,
            takes: match (request.takes, request.closes) {
                (Some(at), _) => at + 1,
                (None, Some([0, 1])) if kinds.starts_with(&[wire::NUMBER; 2]) => wire::CLOSES,
                _ => 0,
            },
        }
    }

    fn reloc(&self, step: usize, pointer: &Pointer) -> Reloc {
        let ((_, at), (kind, value)) = (self.resolve(step, pointer.at), self.resolve(step, pointer.to));
        Reloc { at: at as u32, step: step as u32, value: value as u32, kind, width: pointer.width, pad: 0 }
    }
}

fn encode(requests: &[Request], slots: &[Slot], message: &mut Vec<u8>) -> Result<Expected> {
    let (out, outputs) = outputs(requests);
    let expected = Expected::of(requests, out);
    let layout = Layout::of(requests, slots, out, outputs);
    let relocs: usize = requests.iter().map(|request| request.pointers.len()).sum();
    let hole = expected.hole.map_or(0, |hole| hole.length);
    message.clear();
    let length = HEADER + STEP * requests.len() + layout.length - hole + RELOC * relocs;
    if u32::try_from(layout.length).is_err() || message.try_reserve_exact(length).is_err() {
        return Err(refused(requests.last().map_or("sendmsg", |request| request.name), Errno::ENOMEM));
    }
    let header = Header {
        version: wire::VERSION,
        steps: requests.len() as u32,
        relocs: relocs as u32,
        blob: layout.length as u32,
        out: out as u32,
        ..Header::default()
    };
    // SAFETY: a header has no padding, so all its bytes may be read.
    message.extend_from_slice(unsafe { bytes_of(&header) });
    for (step, request) in requests.iter().enumerate() {
        // SAFETY: a step has no padding, so all its bytes may be read.
        message.extend_from_slice(unsafe { bytes_of(&layout.step(step, request)) });
    }
    for (step, request) in requests.iter().enumerate().filter(|(_, request)| request.out_length() > 0) {
        message.extend_from_slice(&request.out);
        let is_hole = expected.hole.is_some_and(|hole| hole.step == step);
        let room = if is_hole { 0 } else { request.room };
        message.resize((message.len() + room).next_multiple_of(8), 0);
    }
    for request in requests.iter().filter(|request| !request.input.is_empty()) {
        message.extend_from_slice(&request.input);
        message.resize(message.len().next_multiple_of(8), 0);
    }
    for (step, request) in requests.iter().enumerate() {
        for pointer in &request.pointers {
            // SAFETY: a relocation has no padding, so all its bytes may be read.
            message.extend_from_slice(unsafe { bytes_of(&layout.reloc(step, pointer)) });
        }
    }
    Ok(expected)
}

/// Returns the memory of `value`.
///
/// # Safety
/// `T` has no padding.
unsafe fn bytes_of<T>(value: &T) -> &[u8] {
    // SAFETY: the slice is exactly the memory of `value`, for as long as that is borrowed; the caller promises that no
    // byte of it is padding.
    unsafe { std::slice::from_raw_parts((value as *const T).cast(), size_of::<T>()) }
}

const _: () = assert!(HEADER == 40 && STEP == 72 && RELOC == 16, "the structs of the wire have no padding");
