//! How calls become the message that [`crate::wire`] describes.

use crate::call::{Arg, Request};
use crate::sequence::expected::{outputs, Expected, HEADER, STEP};
use crate::sequence::list::{Sequence, Slot};
use crate::wire::{self, Header, Reloc, Step};

const RELOC: usize = size_of::<Reloc>();

impl Sequence {
    /// Writes the sequence as a message, and returns what the reply to it looks like.
    pub fn encode(&self, message: &mut Vec<u8>) -> Expected {
        encode(&self.requests, &self.slots, message)
    }
}

/// Writes one call as a message, and returns what the reply to it looks like.
pub(crate) fn encode_one(request: &Request, message: &mut Vec<u8>) -> Expected {
    encode(std::slice::from_ref(request), &[], message)
}

/// Where the bytes of the calls written so far lie in the blob: all outputs first, then all inputs.
struct Layout<'a> {
    slots: &'a [Slot],
    outputs: Vec<usize>,
    inputs: Vec<usize>,
}

impl Layout<'_> {
    /// Returns the kind and the value of an argument of the call that was laid out last.
    fn resolve(&self, arg: Arg) -> (u8, u64) {
        let step = self.inputs.len() - 1;
        match arg {
            Arg::Number(number) => (wire::NUMBER, number),
            Arg::Out(at) => (wire::BLOB, self.outputs[step] as u64 + at as u64),
            Arg::Input(at) => (wire::BLOB, self.inputs[step] as u64 + at as u64),
            Arg::InputOf(step, at) => (wire::BLOB, self.inputs[step as usize] as u64 + at as u64),
            Arg::Result(step) => (wire::RESULT, step as u64),
            Arg::Written(step) => (wire::LOAD, self.outputs[step as usize] as u64),
            Arg::Passed(index) => (wire::FD, index as u64),
            Arg::Channel(plus) => (wire::CHANNEL, plus as u64),
            Arg::Slot(slot) => match self.slots.get(slot as usize) {
                Some(Slot { step, output: None }) => (wire::RESULT, *step as u64),
                Some(Slot { step, output: Some(at) }) => (wire::LOAD, (self.outputs[*step] + at) as u64),
                None => (wire::NUMBER, u64::MAX),
            },
        }
    }

    fn step(&self, request: &Request) -> Step {
        let args = request.args.map(|arg| self.resolve(arg));
        Step {
            nr: request.nr,
            args: args.map(|(_, value)| value),
            result: 0,
            kinds: args.map(|(kind, _)| kind),
            policy: request.policy as u8,
            takes: match (request.takes, request.closes) {
                (Some(at), _) => at + 1,
                (None, Some([0, 1])) if args[..2].iter().all(|(kind, _)| *kind == wire::NUMBER) => wire::CLOSES,
                _ => 0,
            },
        }
    }

    fn relocs<'a>(&'a self, request: &'a Request) -> impl Iterator<Item = Reloc> + 'a {
        let step = self.inputs.len() as u32 - 1;
        request.pointers.iter().map(move |pointer| {
            let ((_, at), (kind, value)) = (self.resolve(pointer.at), self.resolve(pointer.to));
            Reloc { at: at as u32, step, value: value as u32, kind, width: pointer.width, pad: 0 }
        })
    }
}

fn encode(requests: &[Request], slots: &[Slot], message: &mut Vec<u8>) -> Expected {
    let (out, outputs) = outputs(requests);
    let expected = Expected::of(requests, out);
    let mut layout = Layout { slots, outputs, inputs: Vec::with_capacity(requests.len()) };
    let mut blob = out;
    let mut relocs = Vec::new();
    message.clear();
    message.resize(HEADER, 0);
    for request in requests {
        layout.inputs.push(blob);
        // SAFETY: a step has no padding, so all its bytes may be read.
        message.extend_from_slice(unsafe { bytes_of(&layout.step(request)) });
        relocs.extend(layout.relocs(request));
        blob += request.input.len().next_multiple_of(8);
    }
    for (step, request) in requests.iter().enumerate() {
        message.extend_from_slice(&request.out);
        let is_hole = expected.hole.is_some_and(|hole| hole.step == step);
        let room = if is_hole { 0 } else { request.room };
        message.resize((message.len() + room).next_multiple_of(8), 0);
    }
    for request in requests {
        message.extend_from_slice(&request.input);
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
    expected
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
