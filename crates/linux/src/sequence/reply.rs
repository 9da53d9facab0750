//! The reply to a sequence: the results of its steps.

use crate::call::{Answer, Request};
use crate::error::{refused, Failure, Result};
use crate::sequence::encode::{outputs, HEADER, STEP};
use crate::sequence::list::Sequence;
use crate::wire::{self, Header, Policy, Step};
use nix::errno::Errno;

/// The results of the steps of a sequence, and their outputs.
#[derive(Debug)]
pub struct Reply {
    /// The results of the steps that ran. The last one may be that of a step that failed and ended the sequence.
    results: Vec<i64>,
    out: Vec<u8>,
    /// Where in `out` the output of each step begins.
    outputs: Vec<usize>,
}

impl Reply {
    /// Returns whether the sequence ended before this step ran.
    pub(crate) fn ended_before(&self, step: usize) -> bool {
        self.results.len() <= step
    }

    /// Returns the result of a step, a negative error number if the step failed; `None` if the step did not run.
    pub fn result(&self, step: usize) -> Option<i64> {
        self.results.get(step).copied()
    }

    /// Returns the kernel's answer to a step; `None` if the step failed or did not run.
    pub fn answer(&self, step: usize) -> Option<Answer<'_>> {
        let result = self.result(step).filter(|result| *result >= 0)?;
        Some(Answer { result, out: self.out.get(*self.outputs.get(step)?..)? })
    }

    /// Returns the error of a step; `None` if the step succeeded or did not run.
    pub fn errno(&self, step: usize) -> Option<Errno> {
        self.error(step).map(Errno::from_raw)
    }

    /// Returns the error of a step as a number.
    pub(crate) fn error(&self, step: usize) -> Option<i32> {
        error(self.result(step)?)
    }
}

impl Sequence {
    /// Returns the length of the longest reply.
    pub fn reply_length(&self) -> usize {
        HEADER + STEP * self.requests.len() + outputs(&self.requests).0
    }

    /// Reads the message with which a task has replied.
    pub fn decode(&self, message: &[u8]) -> Result<Reply> {
        let header = header(message)?;
        let steps = self.requests.len();
        let (done, end) = (header.done as usize, HEADER + STEP * steps);
        if done > steps || message.len() < end + header.out as usize {
            return Err(Failure::Broken(format!("a reply of {} bytes does not fit its sequence", message.len())));
        }
        let results = (0..done).map(|index| result(message, index)).collect();
        let out = message[end..end + header.out as usize].to_vec();
        Ok(Reply { results, out, outputs: outputs(&self.requests).1 })
    }

    /// Returns the failure that ended the sequence, if its step is `first` or a later one.
    pub fn failure(&self, reply: &Reply, first: usize) -> Option<Failure> {
        let last = reply.results.len().checked_sub(1)?;
        let number = reply.error(last)?;
        let request = self.requests.get(last).filter(|request| last >= first && request.policy != Policy::GoOn)?;
        Some(request.refusal(number, Some(self.asked_before(last) as u32)))
    }

    /// Returns the descriptors that the sequence has made, one for each placeholder; -1 for one that was not made, or whose
    /// number the sequence has closed or given to another file since.
    pub fn made(&self, reply: &Reply) -> Vec<i32> {
        let mut made = vec![-1; self.slots.len()];
        for step in 0..reply.results.len() {
            if let Some(answer) = reply.answer(step) {
                self.note(step, &answer, &mut made);
            }
        }
        made
    }
}

/// Reads the message with which a task has replied to one call.
pub(crate) fn decode_one<'a>(request: &Request, message: &'a [u8]) -> Result<Answer<'a>> {
    let header = header(message)?;
    let end = HEADER + STEP;
    let out = message.get(end..end + header.out as usize);
    let (1, Some(out)) = (header.done, out) else {
        return Err(Failure::Broken(format!("a reply of {} bytes does not fit its call", message.len())));
    };
    let result = result(message, 0);
    match error(result) {
        Some(number) => Err(request.refusal(number, None)),
        None => Ok(Answer { result, out: &out[..request.out.len()] }),
    }
}

/// Returns the error number in the result of a call.
fn error(result: i64) -> Option<i32> {
    (-4095..0).contains(&result).then_some(-result as i32)
}

/// Reads the header of a reply. A task that has refused the sequence as a whole says so in the header's status.
fn header(message: &[u8]) -> Result<Header> {
    let Some(bytes) = message.get(..HEADER) else {
        return Err(Failure::Broken(format!("a reply of {} bytes has no header", message.len())));
    };
    // SAFETY: `bytes` has the length of a header and is borrowed during the read. Any bytes are a valid header, and
    // `read_unaligned` needs no alignment.
    let header = unsafe { bytes.as_ptr().cast::<Header>().read_unaligned() };
    match header.status {
        0 if header.version == wire::VERSION => Ok(header),
        status => Err(refused("recvmsg", Errno::from_raw(-status))),
    }
}

fn result(message: &[u8], index: usize) -> i64 {
    let at = HEADER + STEP * index + std::mem::offset_of!(Step, result);
    i64::from_ne_bytes(message[at..at + 8].try_into().expect("a result has eight bytes"))
}
