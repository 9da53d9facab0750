//! The reply to a sequence: the results of its steps.
//!
//! A reply is input: the process that has sent it may be hostile. Every number in it is checked here, before a caller sees it.

use crate::call::{Answer, Arg, Request, Yields};
use crate::error::{refused, Failure, Result};
use crate::sequence::expected::{outputs, Expected, Hole, HEADER, STEP};
use crate::sequence::list::Sequence;
use crate::wire::{self, Header, Policy, Step};
use nix::errno::Errno;
use std::ops::Range;

/// The results of the steps of a sequence, and their outputs.
#[derive(Debug)]
pub struct Reply {
    /// The results of the steps that ran. The last one may be that of a step that failed and ended the sequence.
    results: Vec<i64>,
    out: Vec<u8>,
    /// Where in `out` the output of each step lies.
    outputs: Vec<Range<usize>>,
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
        Some(Answer { result, out: self.out.get(self.outputs.get(step)?.clone())? })
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
    /// Reads the message with which a task has replied. Anything but a reply to this sequence is [`Failure::Broken`].
    pub fn decode(&self, message: &[u8]) -> Result<Reply> {
        let (length, places) = outputs(&self.requests);
        let expected = Expected::of(&self.requests, length);
        let header = header(message, self.requests.len(), length, expected.hole)?;
        let (done, end) = (header.done as usize, HEADER + STEP * self.requests.len());
        let results: Vec<i64> = (0..done).map_while(|index| result(message, index)).collect();
        let lengths = self.requests.iter().map(|request| request.out_length());
        let out = message.get(end..).unwrap_or_default().to_vec();
        // Steps after a hole have no output, and their places lie beyond the bytes that have come.
        let range = |(start, length): (usize, usize)| start.min(out.len())..(start + length).min(out.len());
        let reply = Reply { results, outputs: places.into_iter().zip(lengths).map(range).collect(), out };
        if !self.ends_where_it_may(&reply) {
            return Err(Failure::Broken(format!("a reply ends after step {done} for no reason")));
        }
        for (step, request) in self.requests.iter().enumerate().take(done) {
            match reply.answer(step) {
                Some(answer) => check_answer(request, &answer)?,
                None if reply.error(step).is_some() => {}
                None => {
                    return Err(Failure::Broken(format!(
                        "a reply has neither a result nor an error of {}",
                        request.name
                    )))
                }
            }
        }
        Ok(reply)
    }

    /// True when the last step of the reply is the first one whose failure ends the sequence, or else the last step that the
    /// task runs: the last step of the sequence, or in a process that clones the one before the first step of the new task.
    fn ends_where_it_may(&self, reply: &Reply) -> bool {
        let done = reply.results.len();
        let stops = |(step, request): (usize, &Request)| {
            let elsewhere = |number: i32| wire::ELSEWHERE.contains(&number.into());
            reply.error(step).is_some_and(|number| match request.policy {
                Policy::Stop => true,
                Policy::GoOn => false,
                Policy::Search => !elsewhere(number),
            })
        };
        match self.requests.iter().enumerate().position(stops) {
            Some(last) => done == last + 1,
            None => done == self.requests.len() || self.requests.iter().any(|request| clones_up_to(request, done)),
        }
    }

    /// Returns how many descriptors the task has attached to the reply.
    pub(crate) fn attached(&self, reply: &Reply) -> usize {
        let attaches = self.requests.iter().enumerate().filter(|(_, request)| request.nr == wire::ATTACH);
        attaches.filter(|(step, _)| reply.answer(*step).is_some()).count()
    }

    /// Returns the failure that ended the sequence, if its step is `first` or a later one. If the result of a step was not the expected
    /// one because the step has failed, that is the failure.
    pub fn failure(&self, reply: &Reply, first: usize) -> Option<Failure> {
        let last = reply.results.len().checked_sub(1)?;
        let number = reply.error(last)?;
        let request = self.requests.get(last).filter(|request| last >= first && request.policy != Policy::GoOn)?;
        let compared = request.compared_step().and_then(|step| Some((self.requests.get(step)?, reply.error(step)?)));
        if let Some((request, number)) = compared {
            return Some(request.refusal(number, Some(self.asked_step(last))));
        }
        let (step, number) = self.cause(last, number, |step| reply.error(step));
        Some(self.requests.get(step).unwrap_or(request).refusal(number, Some(self.asked_step(last))))
    }

    /// Returns the failure of a step, also if the sequence has gone on after it.
    pub(crate) fn refusal(&self, reply: &Reply, step: usize) -> Option<Failure> {
        let number = reply.error(step)?;
        Some(self.requests.get(step)?.refusal(number, Some(self.asked_step(step))))
    }

    /// Returns the number of the file system context that the failed step was made on, if it was made on one.
    pub(crate) fn failed_context(&self, reply: &Reply) -> Option<i32> {
        let last = reply.results.len().checked_sub(1).filter(|last| reply.error(*last).is_some())?;
        let made = self.made(reply);
        self.requests.get(last)?.context(|slot| made.get(slot as usize).copied())
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

/// Reads the message with which a task has replied to one call. Anything but a reply to this call is [`Failure::Broken`].
pub(crate) fn decode_one<'a>(request: &Request, message: &'a [u8]) -> Result<Answer<'a>> {
    let length = request.out_length();
    let hole = Expected::of(std::slice::from_ref(request), length.next_multiple_of(8)).hole;
    let header = header(message, 1, length.next_multiple_of(8), hole)?;
    let start = HEADER + STEP;
    let end = message.len().min(start + length);
    let (1, Some(result), Some(out)) = (header.done, result(message, 0), message.get(start..end)) else {
        return Err(unlike_its_sequence(message));
    };
    match error(result) {
        Some(number) => Err(request.refusal(number, None)),
        None => {
            let answer = Answer { result, out };
            check_answer(request, &answer).map(|()| answer)
        }
    }
}

/// Returns the error number in the result of a call.
fn error(result: i64) -> Option<i32> {
    (-4095..0).contains(&result).then(|| -result as i32)
}

/// True when the call clones a task whose first step is `first`.
fn clones_up_to(request: &Request, first: usize) -> bool {
    request.nr == wire::CLONE && request.args[3] == Arg::Number(first as u64)
}

/// Refuses a success that no kernel reports: a length beyond what the call was given, or a number that no descriptor has.
fn check_answer(request: &Request, answer: &Answer) -> Result<()> {
    let possible = match request.yields {
        Yields::Descriptor => (0..=i64::from(i32::MAX)).contains(&answer.result),
        Yields::Pair => [0, 4].iter().all(|at| answer.u32(*at) <= i32::MAX as u32),
        Yields::Nothing | Yields::Whole | Yields::Value => {
            request.longest.is_none_or(|longest| (0..=longest).contains(&answer.result))
        }
    };
    if possible {
        Ok(())
    } else {
        Err(Failure::Broken(format!("a reply has {} as the result of {}", answer.result, request.name)))
    }
}

/// Returns how many bytes of a hole the reply has: those that the call has written, up to a multiple of 8.
pub(super) fn written(message: &[u8], hole: Hole) -> usize {
    let done = first_bytes(message).map_or(0, |header| header.done as usize);
    let result = result(message, hole.step).filter(|_| hole.step < done).unwrap_or(0);
    usize::try_from(result).unwrap_or(0).min(hole.length).next_multiple_of(8)
}

/// Reads the header of the reply to a sequence of so many steps and of so many bytes of output. A task that has refused the
/// sequence as a whole says so in the status, and sends the header alone.
fn header(message: &[u8], steps: usize, out: usize, hole: Option<Hole>) -> Result<Header> {
    let header = first_bytes(message).ok_or_else(|| unlike_its_sequence(message))?;
    let length = HEADER + STEP * steps + out - hole.map_or(0, |hole| hole.length - written(message, hole));
    match error(header.status.into()) {
        _ if header.version != wire::VERSION => Err(unlike_its_sequence(message)),
        Some(number) if message.len() == HEADER => Err(refused("recvmsg", Errno::from_raw(number))),
        None if header.status == 0
            && message.len() == length
            && (header.steps as usize, header.out as usize) == (steps, out)
            && header.done as usize <= steps =>
        {
            Ok(header)
        }
        _ => Err(unlike_its_sequence(message)),
    }
}

/// True when the message is the header of a reply to a sequence that the task has not refused as a whole.
pub(super) fn has_run(message: &[u8]) -> bool {
    message.len() == HEADER && first_bytes(message).is_some_and(|header| header.status == 0)
}

/// Refuses a message that is not the reply with this serial number.
pub(crate) fn check_serial(message: &[u8], serial: u64) -> Result<()> {
    match first_bytes(message) {
        Some(header) if header.serial == serial => Ok(()),
        Some(header) => Err(Failure::Broken(format!("reply {serial} was expected, and reply {} came", header.serial))),
        None => Err(unlike_its_sequence(message)),
    }
}

fn first_bytes(message: &[u8]) -> Option<Header> {
    let bytes = message.get(..HEADER)?;
    // SAFETY: `bytes` has the length of a header and is borrowed during the read. Any bytes are a valid header, and
    // `read_unaligned` needs no alignment.
    Some(unsafe { bytes.as_ptr().cast::<Header>().read_unaligned() })
}

fn unlike_its_sequence(message: &[u8]) -> Failure {
    Failure::Broken(format!("a message of {} bytes is no reply to the sequence before it", message.len()))
}

fn result(message: &[u8], index: usize) -> Option<i64> {
    let at = HEADER + STEP * index + std::mem::offset_of!(Step, result);
    message.get(at..at + 8)?.try_into().ok().map(i64::from_ne_bytes)
}
