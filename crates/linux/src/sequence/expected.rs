//! What the reply to a sequence looks like, as far as that is known before it comes.

use crate::call::Request;
use crate::sequence::encode::{outputs, HEADER, STEP};
use crate::sequence::list::Sequence;

/// The reply that a sequence asks for. A task sends nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    /// Its length in bytes, unless the task refuses the sequence as a whole.
    pub length: usize,
    /// True when the task is going to execute a program, and sends a notice before.
    pub notice: bool,
}

impl Expected {
    /// `out` is the length of all outputs together.
    pub(super) fn of(requests: &[Request], out: usize) -> Self {
        Expected { length: HEADER + STEP * requests.len() + out, notice: requests.iter().any(|request| request.notice) }
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
