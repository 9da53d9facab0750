//! The list of calls that travel together.

use crate::call::{Answer, Arg, Call, Request, Yields, SLOT};
use crate::calls::descriptor;
use crate::calls::stub::expect;
use crate::error::{Failure, Refusal, Result};
use crate::sequence::context_log;
use crate::wire::{self, Policy};
use nix::errno::Errno;

/// Calls in the order in which they run: in a task, which gets all of them in one message, or in the calling thread.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    pub(super) requests: Vec<Request>,
    /// The descriptors that the steps make, in the order of the steps.
    pub(super) slots: Vec<Slot>,
    /// Indexes of the steps that were added with [`Sequence::aside`].
    asides: Vec<usize>,
    /// Indexes of the steps whose refusal is passed over: see [`Sequence::pass_over_last`].
    passed_over: Vec<usize>,
}

/// Where a sequence that has run has a new descriptor's number: in the result of a step, or as an `int` in its output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub step: usize,
    pub output: Option<usize>,
}

impl Slot {
    fn number(self, answer: &Answer) -> i32 {
        self.output.map_or(answer.result as i32, |at| answer.u32(at) as i32)
    }
}

impl Sequence {
    /// Adds a call, and returns a placeholder for its result. Later calls of the sequence take the placeholder of a
    /// descriptor for its number. A call whose result is a value is refused: no placeholder can stand for a value. Of a call that
    /// may do a part of its work only, the whole is expected: after less, the sequence ends with EIO before its next step.
    pub fn push<T>(&mut self, call: Call<T>) -> Result<T> {
        let Call { request, read } = call;
        let step = self.requests.len();
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
            Yields::Whole => read(&Answer { result: request.longest.unwrap_or(0), out: &[] }),
            Yields::Value => return Err(Failure::Batch(request.name, request.named_number())),
        };
        let expected = whole(&request).map(|all| {
            let (done, all) = (Arg::Result(step as u32), Arg::Number(all as u64));
            expect(request.name, done, all, Errno::EIO).words(SHORT)
        });
        self.requests.push(request);
        if let Some(call) = expected {
            self.aside(|sequence| sequence.step(call));
        }
        Ok(value)
    }

    /// Adds a call, and returns its index. The reply has the result under this index.
    pub fn step<T>(&mut self, call: Call<T>) -> usize {
        self.requests.push(call.request);
        self.requests.len() - 1
    }

    /// Lets `add` add steps that the caller of nearfar has not asked for. A failure does not count them in its `step`. All steps that
    /// `add` adds are such steps, also those that it adds with this function.
    pub(crate) fn aside<T>(&mut self, add: impl FnOnce(&mut Sequence) -> T) -> T {
        let (first, asides) = (self.len(), self.asides.len());
        let added = add(self);
        self.asides.truncate(asides);
        self.asides.extend(first..self.len());
        added
    }

    /// Returns how many steps the caller of nearfar has asked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked_before(self.requests.len())
    }

    fn asked_before(&self, step: usize) -> usize {
        step - self.asides.partition_point(|aside| *aside < step)
    }

    /// Returns which of the steps that the caller of nearfar has asked for a failing step belongs to, from 0. A step aside
    /// belongs to the step before it: the steps aside that come before an asked one cannot end a sequence.
    pub(super) fn asked_step(&self, step: usize) -> u32 {
        let is_aside = self.asides.binary_search(&step).is_ok();
        self.asked_before(step).saturating_sub(usize::from(is_aside)) as u32
    }

    /// Returns how many steps there are.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Returns whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Lets the sequence go on when the kernel refuses the call that was added last: one that returns nothing. If the step after it
    /// fails with ENOENT, the refusal is the failure, unless that was EEXIST.
    pub(crate) fn pass_over_last(&mut self) {
        let Some(last) = self.requests.len().checked_sub(1) else { return };
        if let Some(request) = self.requests.get_mut(last).filter(|request| request.yields == Yields::Nothing) {
            request.policy = Policy::GoOn;
            self.passed_over.push(last);
        }
    }

    /// Returns the step whose refusal explains the failure of a step: this step itself, or one that was passed over just before it.
    pub(super) fn cause(&self, failed: usize, number: i32, refused: impl Fn(usize) -> Option<i32>) -> (usize, i32) {
        let before = failed.checked_sub(1).filter(|step| self.passed_over.binary_search(step).is_ok());
        let cause = before.and_then(|step| Some((step, refused(step)?)));
        match cause {
            Some((step, errno)) if number == libc::ENOENT && errno != libc::EEXIST => (step, errno),
            _ => (failed, number),
        }
    }

    /// Adds the steps of another sequence, which has no slots.
    pub(crate) fn extend(&mut self, other: &Sequence) {
        self.requests.extend(other.requests.iter().cloned());
    }

    /// Returns whether a step gives this descriptor number to another file.
    pub(crate) fn replaces(&self, fd: i32) -> bool {
        let number = Arg::Number(fd as u64);
        self.requests
            .iter()
            .any(|request| request.takes.is_some_and(|at| request.args.get(usize::from(at)) == Some(&number)))
    }

    /// Runs the sequence in the calling thread, as a task would, and returns the descriptors that it made. Each
    /// slot has a number, which is -1 if there is no descriptor. When a step fails, the descriptors made before it are closed.
    pub fn near(mut self) -> (Vec<i32>, Option<Failure>) {
        let mut made = vec![-1; self.slots.len()];
        // A step that would change one thread of this process is refused before any other step has run.
        if let Some(request) = self.requests.iter().find(|request| request.one_thread && !is_expectation(request)) {
            return (made, Some(request.multithreaded()));
        }
        let mut results = vec![Seen::default(); self.requests.len()];
        for step in 0..self.requests.len() {
            let Some(request) = self.requests.get_mut(step) else { continue };
            if is_expectation(request) {
                if is_met(request, &results) {
                    continue;
                }
                let failure = self.unmet(step, &results);
                close_made(&mut made);
                return (made, Some(at_step(failure, self.asked_step(step))));
            }
            let ran = request.make_near(&|arg| known(arg, &made, &results)).and_then(|result| match whole(request) {
                Some(all) if result != all => Err(short(request.name)),
                _ => Ok(result),
            });
            match ran {
                Ok(result) => {
                    let out = std::mem::take(&mut request.out);
                    if let Some(seen) = results.get_mut(step) {
                        *seen = Seen { result, written: Answer { result, out: &out }.u32(0) };
                    }
                    self.note(step, &Answer { result, out: &out }, &mut made);
                }
                Err(Failure::Refused(refusal)) if request.policy == Policy::GoOn => {
                    if let Some(seen) = results.get_mut(step) {
                        seen.result = -i64::from(refusal.nameless.unwrap_or(refusal.errno as i32));
                    }
                }
                Err(failure) => {
                    let context = request.context(|slot| made.get(slot as usize).copied());
                    let failure = context_log::add_near(failure, context);
                    close_made(&mut made);
                    return (made, Some(at_step(failure, self.asked_step(step))));
                }
            }
        }
        (made, None)
    }

    /// Returns the failure of an expectation that is not met near. If the step that it looks at has failed, that is the failure.
    fn unmet(&self, expectation: usize, results: &[Seen]) -> Failure {
        let Some(request) = self.requests.get(expectation) else {
            return Failure::Internal("an expectation is no step");
        };
        let compared =
            request.compared_step().and_then(|step| Some((self.requests.get(step)?, results.get(step)?.result)));
        match compared {
            Some((compared, result)) if result < 0 => compared.refusal(-result as i32, None),
            _ => request.refusal(request.expected_errno(), None),
        }
    }

    /// Writes into `made`, which has a number for each slot, what a step that succeeded has done to descriptors: the step
    /// makes some, and a number that it closes or gives to another file belongs to no earlier slot any more.
    pub(super) fn note(&self, step: usize, answer: &Answer, made: &mut [i32]) {
        let Some(request) = self.requests.get(step) else { return };
        let number = |at: u8| match request.args.get(usize::from(at)) {
            Some(Arg::Number(number)) => Some(i64::from(*number as u32)),
            Some(Arg::Slot(slot)) => made.get(*slot as usize).map(|fd| i64::from(*fd)),
            _ => None,
        };
        let closed = request.closes.or(request.takes.map(|at| [at, at]));
        if let Some((Some(first), Some(last))) = closed.map(|[first, last]| (number(first), number(last))) {
            made.iter_mut().filter(|fd| (first..=last).contains(&i64::from(**fd))).for_each(|fd| *fd = -1);
        }
        let slots = self.slots.iter().enumerate().skip(self.slots.partition_point(|slot| slot.step < step));
        for (index, slot) in slots.take_while(|(_, slot)| slot.step == step) {
            if let Some(place) = made.get_mut(index) {
                *place = slot.number(answer);
            }
        }
    }
}

/// What a step of a sequence that runs near has left for later ones to be compared.
#[derive(Clone, Copy, Default)]
struct Seen {
    result: i64,
    /// The first `int` that the kernel has written.
    written: u32,
}

/// True when both numbers of an expectation are equal.
fn is_met(expectation: &Request, results: &[Seen]) -> bool {
    let number = |arg| known(arg, &[], results).unwrap_or(u64::MAX);
    number(expectation.args[0]) == number(expectation.args[1])
}

/// Returns the number that an argument stands for in a sequence that runs near.
fn known(arg: Arg, made: &[i32], results: &[Seen]) -> Option<u64> {
    let seen = |step: u32| results.get(step as usize);
    match arg {
        Arg::Number(number) => Some(number),
        Arg::Slot(slot) => made.get(slot as usize).map(|fd| *fd as u64),
        Arg::Result(step) => seen(step).map(|seen| seen.result as u64),
        Arg::Written(step) => seen(step).map(|seen| seen.written.into()),
        _ => None,
    }
}

/// Closes the descriptors that a sequence has made near.
fn close_made(made: &mut [i32]) {
    for fd in made.iter_mut().filter(|fd| **fd >= 0) {
        // Whatever close(2) answers, the kernel has freed the number.
        let _ = descriptor::close(*fd).near();
        *fd = -1;
    }
}

fn at_step(failure: Failure, step: u32) -> Failure {
    match failure {
        Failure::Refused(refusal) => Failure::Refused(Refusal { step: Some(step), ..refusal }),
        other => other,
    }
}

/// The words for the failure of a call that has done a part of its work only.
const SHORT: &str = "short write";

/// Returns the result of a call that has done its whole work, if a sequence expects that of it.
fn whole(request: &Request) -> Option<i64> {
    request.longest.filter(|_| request.yields == Yields::Whole)
}

fn short(name: &'static str) -> Failure {
    Failure::Refused(Refusal { words: Some(SHORT.into()), ..Refusal::new(name, Errno::EIO as i32) })
}

/// True for the step with which a task compares the result of another one. Near, the comparison is no call.
fn is_expectation(request: &Request) -> bool {
    request.nr == wire::EXPECT
}
