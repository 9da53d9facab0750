//! The form of the reply to a sequence, as far as the form is known before the reply comes.

use crate::call::Request;
use crate::sequence::list::Sequence;
use crate::wire::{self, Header, Step};

pub(super) const HEADER: usize = size_of::<Header>();
pub(super) const STEP: usize = size_of::<Step>();

/// The reply that a sequence asks for. A task sends nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    /// The length of the reply in bytes, unless the task refuses the sequence as a whole.
    pub length: usize,
    /// How many descriptors the task attaches to it, unless a step fails.
    pub descriptors: usize,
    /// The bytes that neither the sequence nor the reply has in memory.
    pub(crate) hole: Option<Hole>,
    /// True when the task is going to execute a program, and sends a notice before.
    pub notice: bool,
}

/// The last output of a sequence, if the kernel writes as many bytes of it as a result says and there is much room for them. The
/// memfd of the sequence has a hole there, and only the bytes that the kernel has written are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hole {
    /// The step with the output.
    pub step: usize,
    /// Where in the message the output begins.
    pub at: usize,
    /// The length of the output, a multiple of 8.
    pub length: usize,
}

impl Expected {
    /// `out` is the length of all outputs together.
    pub(super) fn of(requests: &[Request], out: usize) -> Self {
        let length = HEADER + STEP * requests.len() + out;
        let last = requests.iter().enumerate().rev().find(|(_, request)| request.out_length() > 0);
        let hole = last.filter(|(_, request)| request.room > wire::INLINE).map(|(step, request)| {
            let room = request.room.next_multiple_of(8);
            Hole { step, at: length - room, length: room }
        });
        Expected {
            length,
            hole,
            descriptors: requests.iter().filter(|request| request.nr == wire::ATTACH).count(),
            notice: requests.iter().any(|request| request.notice),
        }
    }
}

impl Sequence {
    /// Returns what the reply looks like.
    pub(crate) fn expected(&self) -> Expected {
        Expected::of(&self.requests, outputs(&self.requests).0)
    }

    /// Returns the length of the longest reply.
    pub fn reply_length(&self) -> usize {
        self.expected().length
    }
}

/// Returns the length of all outputs together, and where in the blob the output of each call begins.
pub(super) fn outputs(requests: &[Request]) -> (usize, Vec<usize>) {
    let mut total = 0;
    let starts = requests.iter().map(|request| {
        let start = total;
        total += request.out_length().next_multiple_of(8);
        start
    });
    let starts = starts.collect();
    (total, starts)
}
