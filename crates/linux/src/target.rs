//! The current target of a thread, in which its calls run: near, unless a task or a batch was entered.

pub mod ambient_set;
pub mod capability_sets;
pub mod drop_to;
pub mod expected_file;
pub mod file_ids;
pub mod filter;
pub mod landlock;
pub mod mounts;

use crate::call::{Answer, Call, Request, Short};
use crate::error::{refused, Failure, Result};
use crate::sequence::context_log;
use crate::sequence::list::Sequence;
use crate::task::channel::Channel;
use crate::task::death_signal;
use crate::task::thread::ThreadTask;
use crate::task::{self, batch::Batch};
use crate::threads::{self, Change};
use nix::errno::Errno;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// Where the calls of a thread run.
#[derive(Debug)]
pub enum Target {
    /// In the thread itself.
    Near,
    /// In every thread of this process, or in none: see [`crate::threads`].
    EveryThread(threads::Turn),
    /// In a task, through its channel.
    Far(Arc<Channel>),
    /// In a thread of this process that makes calls and nothing else.
    Thread(Arc<ThreadTask>),
    /// Nowhere yet: the calls are collected.
    Batch(Batch),
}

thread_local! {
    static CURRENT: RefCell<Target> = const { RefCell::new(Target::Near) };
    /// True when the current target is [`Target::Near`]. A near call looks at this alone, because that is faster.
    static NEAR: Cell<bool> = const { Cell::new(true) };
}

/// Makes `target` the current target of the calling thread, and returns the former one.
pub fn replace(target: Target) -> Target {
    NEAR.set(matches!(target, Target::Near));
    CURRENT.replace(target)
}

impl<T> Call<T> {
    /// Runs the call in the current target of the calling thread.
    #[inline(never)] // one copy for each type, not one for each of a hundred bindings
    pub fn run(self) -> Result<T> {
        let Call { request, read } = self;
        let (result, out) = run_unread(request)?;
        Ok(read(&Answer { result, out: &out }))
    }

    /// Runs the call in the current target of the calling thread. Returns its result, and the bytes that the kernel has written
    /// as they are: [`Call::run`] would copy them, and abort where there is no memory for that.
    pub fn run_raw(self) -> Result<(i64, Vec<u8>)> {
        run_unread(self.request)
    }
}

impl Call<Vec<u8>> {
    /// Runs a call whose result is the number of bytes that the kernel has written, as [`Call::run_raw`] does, and returns those.
    pub fn run_written(self) -> Result<Vec<u8>> {
        let (result, mut out) = self.run_raw()?;
        out.truncate(usize::try_from(result).unwrap_or(0));
        Ok(out)
    }
}

/// Runs a call of numbers alone in the current target of the calling thread: near with these arguments, and elsewhere
/// as the [`Call`] that `call` returns.
#[inline]
pub fn run_short<T>(short: Short, args: [i64; 4], read: fn(i64) -> T, call: impl FnOnce() -> Call<T>) -> Result<T> {
    if NEAR.get() {
        short.near(args).map(read)
    } else {
        call().run()
    }
}

/// Runs a call without reading its answer, so that the code is compiled once and not once for each type.
fn run_unread(request: Request) -> Result<(i64, Vec<u8>)> {
    let name = request.name;
    if request.lacks_memory {
        return Err(refused(name, Errno::ENOMEM));
    }
    let context = request.context(|_| None);
    if NEAR.get() {
        return request.near().map_err(|failure| context_log::add_near(failure, context));
    }
    let mut call = Call { request, read: copy as fn(&Answer) -> Unread };
    let answer = CURRENT.with_borrow_mut(|target| match target {
        Target::Near => near(call),
        Target::Thread(thread) => {
            call.request.permit_in_thread();
            thread.run(move || near(call)).map_err(|failure| context_log::add_near(failure, context))
        }
        Target::EveryThread(_) => only(run_in_every_thread(vec![call])?),
        Target::Far(channel) if call.request.clears_death_signal => only(run_far(channel, vec![call])?),
        Target::Far(channel) => channel.call(call).map_err(|failure| match context {
            // If the task is gone by now, there are no messages.
            Some(fd) => failure.with_log(task::context_log::read(channel, fd).unwrap_or_default()),
            None => failure,
        }),
        Target::Batch(batch) => batch.push(call),
    })?;
    answer.ok_or_else(|| refused(name, Errno::ENOMEM))
}

/// The result of a call, and the bytes that the kernel has written. `None`: there was no memory for a copy of the bytes.
type Unread = Option<(i64, Vec<u8>)>;

/// Copies an answer.
fn copy(answer: &Answer) -> Unread {
    let mut out = Vec::new();
    out.try_reserve_exact(answer.out.len()).ok()?;
    out.extend_from_slice(answer.out);
    Some((answer.result, out))
}

fn near(call: Call<Unread>) -> Result<Unread> {
    call.request.near().map(Some)
}

/// The name of a call, and the function that reads its answer.
type Reader<T> = (&'static str, fn(&Answer) -> T);

/// Takes the readers from calls that run together, so that the code which runs them is compiled once and not once for each type.
fn take_readers<T>(calls: Vec<Call<T>>) -> (Vec<Call<Unread>>, Vec<Reader<T>>) {
    let take = |Call { request, read }| -> (_, Reader<T>) {
        let reader = (request.name, read);
        (Call { request, read: copy as fn(&Answer) -> Unread }, reader)
    };
    calls.into_iter().map(take).unzip()
}

/// Reads the answers to calls.
fn read_all<T>(answers: Vec<Unread>, readers: Vec<Reader<T>>) -> Result<Vec<T>> {
    let answers = answers.into_iter().zip(readers).map(|(answer, (name, read))| {
        let (result, out) = answer.ok_or_else(|| refused(name, Errno::ENOMEM))?;
        Ok(read(&Answer { result, out: &out }))
    });
    answers.collect()
}

/// Calls `add` with the batch that the calling thread collects. `None`: the current target is not a batch.
pub fn collecting<T>(add: impl FnOnce(&mut Batch) -> T) -> Option<T> {
    CURRENT.with_borrow_mut(|target| match target {
        Target::Batch(batch) => Some(add(batch)),
        _ => None,
    })
}

/// Runs calls in the current target of the calling thread until one is refused. In a task they travel in one message. In a batch the
/// `step` of a failure counts them as one.
pub fn run_all<T>(calls: Vec<Call<T>>) -> Result<Vec<T>> {
    let (calls, readers) = take_readers(calls);
    read_all(run_all_unread(calls)?, readers)
}

fn run_all_unread(mut calls: Vec<Call<Unread>>) -> Result<Vec<Unread>> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    CURRENT.with_borrow_mut(|target| match target {
        Target::Near => calls.into_iter().map(near).collect(),
        Target::Thread(thread) => {
            calls.iter_mut().for_each(|call| call.request.permit_in_thread());
            thread.run(|| calls.into_iter().map(near).collect())
        }
        Target::EveryThread(_) => run_in_every_thread(calls),
        Target::Far(channel) => run_far(channel, calls),
        Target::Batch(batch) => batch.push_all(calls),
    })
}

fn only<T>(answers: Vec<T>) -> Result<T> {
    answers.into_iter().next().ok_or(Failure::Internal("a call has no answer"))
}

fn run_far(channel: &Arc<Channel>, calls: Vec<Call<Unread>>) -> Result<Vec<Unread>> {
    let mut sequence = Sequence::default();
    let steps: Vec<usize> = calls.into_iter().map(|call| death_signal::step(&mut sequence, call)).collect();
    let (reply, _) = channel.run(&sequence, &[])?;
    if let Some(failure) = sequence.failure(&reply, 0) {
        return Err(failure.without_step());
    }
    let missing = Failure::Internal("a call of a task returned neither an error nor an answer");
    steps.into_iter().map(|step| reply.answer(step).map(|answer| copy(&answer)).ok_or(missing.clone())).collect()
}

/// Makes calls in order. Consecutive calls that change a thread are one change of all threads, which happens as a whole or not at
/// all. The calling thread alone makes every other call.
fn run_in_every_thread(calls: Vec<Call<Unread>>) -> Result<Vec<Unread>> {
    run_in_every_thread_if(calls, &|_| true)?.map_err(|_| Failure::Internal("a change of all threads was not wanted"))
}

/// Runs calls as [`run_in_every_thread`] does. The inner error is what a rehearsal has led to that does not agree: nothing has
/// changed then.
fn run_in_every_thread_if(
    calls: Vec<Call<Unread>>,
    agrees: threads::Agrees,
) -> Result<std::result::Result<Vec<Unread>, Vec<u8>>> {
    let mut answers = Vec::with_capacity(calls.len());
    let mut calls = calls.into_iter().peekable();
    while let Some(call) = calls.next() {
        if !call.request.one_thread {
            answers.push(near(call)?);
            continue;
        }
        let mut requests = vec![call.request];
        while let Some(Call { request, .. }) = calls.next_if(|call| call.request.one_thread) {
            requests.push(request);
        }
        let results = match threads::change(requests, agrees)? {
            Change::Made(results) => results,
            Change::NotWanted(lines) => return Ok(Err(lines)),
        };
        answers.extend(results.into_iter().map(|result| Some((result, Vec::new()))));
    }
    Ok(Ok(answers))
}

/// Takes all messages from the log of a file system context, the oldest first.
pub fn read_context_log(context: i32) -> Result<Vec<Vec<u8>>> {
    CURRENT.with_borrow_mut(|target| match target {
        // A thread of this process has the same descriptors.
        Target::Near | Target::Thread(_) | Target::EveryThread(_) => context_log::read_near(context),
        Target::Far(channel) => task::context_log::read(channel, context),
        Target::Batch(_) => Err(Failure::Batch("read", None)),
    })
}
