//! A batch: calls that are collected, descriptors that go along with them, and at the end perhaps an exec.

use crate::call::Call;
use crate::calls::descriptor;
use crate::error::{refused, During, Failure, Result};
use crate::sequence::list::Sequence;
use crate::task::channel::{Channel, Ran};
use crate::task::context_log;
use crate::task::death_signal;
use crate::task::exec::{Attempt, Exec};
use crate::task::outgoing::Outgoing;
use crate::task::thread::ThreadTask;
use crate::task::transfer;
use crate::wire;
use nix::errno::Errno;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// How long a batch blocks the event loop for its reply: about as long as it takes to wake an event loop.
const PATIENCE: Duration = Duration::from_micros(50);
/// The steps of a batch whose reply may come within that time.
const MOST_AWAITED: usize = 100;

/// Calls that are collected, to be run together.
#[derive(Debug, Default)]
pub struct Batch {
    outgoing: Outgoing,
    exec: Option<Box<Attempt>>,
    /// True when a thread of this process runs the batch.
    in_thread: bool,
}

impl Batch {
    /// Returns a batch for a [`ThreadTask`].
    pub fn in_thread() -> Self {
        Batch { in_thread: true, ..Batch::default() }
    }

    /// Adds a call. Returns a placeholder for its result, which is good until the batch has run.
    pub fn push<T>(&mut self, call: Call<T>) -> Result<T> {
        match self.exec {
            Some(_) => Err(Failure::Sealed(call.request.name)),
            None => add(&mut self.outgoing.sequence, self.in_thread, call),
        }
    }

    /// Adds calls that are one call to the caller of nearfar. The first of them counts in the `step` of a failure.
    pub(crate) fn push_all<T>(&mut self, calls: Vec<Call<T>>) -> Result<Vec<T>> {
        let mut calls = calls.into_iter();
        let Some(first) = calls.next() else { return Ok(Vec::new()) };
        let mut values = vec![self.push(first)?];
        let (sequence, in_thread) = (&mut self.outgoing.sequence, self.in_thread);
        for value in sequence.aside(|sequence| calls.map(|call| add(sequence, in_thread, call)).collect::<Vec<_>>()) {
            values.push(value?);
        }
        Ok(values)
    }

    /// Adds steps that are one call to the caller of nearfar, with the name `call`. The first of them counts in the `step` of a failure.
    pub(crate) fn push_steps(
        &mut self,
        call: &'static str,
        add: impl FnOnce(&mut Sequence) -> Result<()>,
    ) -> Result<()> {
        match self.exec {
            Some(_) => Err(Failure::Sealed(call)),
            None => add(&mut self.outgoing.sequence),
        }
    }

    /// Adds a copy of a descriptor of this process; see [`transfer::put`].
    pub fn put(&mut self, fd: RawFd, number: Option<i32>, close_on_exec: bool) -> Result<i32> {
        // Two places of a message are left free: the memfd of a long sequence takes one of them, and the other is a
        // reserve.
        if self.outgoing.passed() + 2 == wire::DESCRIPTORS {
            return Err(refused("sendmsg", Errno::ETOOMANYREFS));
        }
        // SAFETY: the caller keeps the descriptor open until this function returns, and the borrow ends before.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let copy = fd.try_clone_to_owned().during("fcntl")?;
        let put = self.push(descriptor::put_passed(self.outgoing.passed() as u32, number, close_on_exec))?;
        self.outgoing.pass(Arc::new(copy));
        Ok(put)
    }

    /// Passes over a refusal of the call that was collected last.
    pub fn pass_over_last(&mut self) {
        self.outgoing.sequence.pass_over_last();
    }

    /// Returns how many calls were collected. A failure counts them in the same way.
    pub fn asked(&self) -> usize {
        self.outgoing.sequence.asked()
    }

    /// Adds an execve(2) as the last step. Calls that are added later are refused.
    pub fn exec(&mut self, exec: &Exec) -> Result<()> {
        if self.exec.is_some() {
            return Err(Failure::Sealed("execve"));
        }
        self.exec = Some(Box::new(Attempt::add(&mut self.outgoing.sequence, exec)));
        Ok(())
    }

    /// Runs the batch in a thread of this process. `done` is called once there, with the descriptors made.
    pub fn submit_to_thread(self, thread: &ThreadTask, done: impl FnOnce(Result<Vec<i32>>) + Send + 'static) {
        thread.submit(Box::new(move |alive| {
            done(alive.and_then(|()| match self.near() {
                (_, Some(failure)) => Err(failure),
                (made, None) => Ok(made),
            }))
        }));
    }

    /// Runs the batch in the calling thread; see [`crate::sequence::list::Sequence::near`].
    pub fn near(self) -> (Vec<i32>, Option<Failure>) {
        self.outgoing.sequence.near()
    }

    /// Runs the batch in a task. `first` says that the task has just been asked for, and may not be cloned yet. `wait` permits to wait
    /// for the reply, for a short time. `done`
    /// is called once with the descriptors made, on this thread or on the reactor's. When a call fails, the descriptors
    /// that were made before it are closed first.
    pub fn submit(
        self,
        task: &Arc<Channel>,
        first: bool,
        wait: bool,
        done: impl FnOnce(Result<Vec<i32>>) + Send + 'static,
    ) {
        let Batch { outgoing, exec, .. } = self;
        if first {
            // A cloned task has a working directory and a umask of its own. Node may change its own again only then.
            task.await_clone();
        }
        if outgoing.sequence.is_empty() {
            return done(Ok(Vec::new()));
        }
        // A program takes longer to begin than the patience, and so do a task and many calls.
        let long = exec.is_some() || first || !wait || outgoing.sequence.len() > MOST_AWAITED;
        let patience = if long { Duration::ZERO } else { PATIENCE };
        let channel = task.clone();
        let ended = move |ran: Result<Ran>| match ran {
            Err(Failure::Executed) => done(Ok(Vec::new())),
            Err(failure) => done(Err(failure)),
            Ok(Ran { sequence, reply, .. }) => {
                let mut made = sequence.made(&reply);
                let context = sequence.failed_context(&reply);
                match exec {
                    Some(exec) => {
                        if let Some(undo) = exec.missing_undo(&reply) {
                            channel.submit(undo, Vec::new(), Box::new(|_| {}));
                        }
                        let task = channel.clone();
                        exec.refused(&sequence, &reply).submit_look(&channel, move |failure, left| {
                            made.extend(left);
                            fail_after_closing(&task, context, made, failure, done);
                        });
                    }
                    None => match sequence.failure(&reply, 0) {
                        None => done(Ok(made)),
                        Some(failure) => fail_after_closing(&channel, context, made, failure, done),
                    },
                }
            }
        };
        outgoing.submit_with_patience(task, patience, Box::new(ended));
    }
}

/// Adds a call to the sequence of a batch.
fn add<T>(sequence: &mut Sequence, in_thread: bool, mut call: Call<T>) -> Result<T> {
    if !in_thread {
        return death_signal::push(sequence, call);
    }
    call.request.permit_in_thread();
    if call.request.one_thread {
        return Err(call.request.multithreaded());
    }
    sequence.push(call)
}

/// Closes the descriptors that a batch has made, and then reports its failure, unless the task runs the next sequence already.
/// Before that it reads the messages of `context`, the file system context that the failed call was made on: the batch itself may
/// have made the context.
fn fail_after_closing(
    task: &Arc<Channel>,
    context: Option<i32>,
    made: Vec<i32>,
    failure: Failure,
    done: impl FnOnce(Result<Vec<i32>>) + Send + 'static,
) {
    let Some(context) = context else {
        if task.is_idle() {
            return transfer::close_all(task, &made, move || done(Err(failure)));
        }
        // The next sequence is under way already, and may be in a call that never ends. The failure does not wait for that.
        transfer::close_all(task, &made, || {});
        return done(Err(failure));
    };
    let channel = task.clone();
    let read = move |log| transfer::close_all(&channel, &made, move || done(Err(failure.with_log(log))));
    context_log::submit(task, context, read);
}
