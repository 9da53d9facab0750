//! A task's last act: execve(2).

use crate::call::{Arg, Call};
use crate::calls::descriptor;
use crate::calls::prctl;
use crate::calls::process;
use crate::calls::signals;
use crate::error::{Failure, Refusal, Result};
use crate::sequence::list::Sequence;
use crate::sequence::reply::Reply;
use crate::task::channel::Channel;
use crate::task::death_signal::refuse_orphan;
use crate::wire;
use std::sync::Arc;

/// What to execute.
#[derive(Clone, Debug)]
pub struct Exec {
    /// Candidates in the order in which they are tried; empty: the descriptor `fd` itself.
    pub paths: Vec<Vec<u8>>,
    /// A descriptor of the task to execute.
    pub fd: i32,
    /// argv, with argv\[0\].
    pub argv: Vec<Vec<u8>>,
    /// `NAME=value` strings.
    pub envp: Vec<Vec<u8>>,
    /// Signal that the program gets when this process dies; 0: none.
    pub death_signal: i32,
    /// Descriptors of the task that stay open.
    pub keep: Vec<i32>,
    /// Whether signals may have been ignored or handled in the task, so that all have to be reset.
    pub reset_signals: bool,
    /// With a death signal: the pid of its parent, as the task sees it; 0: not known, it is in another pid namespace.
    pub parent: i32,
    /// The death signal that the task had, and has again when it is refused; 0: none.
    pub task_death_signal: i32,
}

/// The steps of a sequence that execute a program.
#[derive(Debug)]
pub(crate) struct Attempt {
    begin: usize,
    tries: std::ops::Range<usize>,
    paths: Vec<Vec<u8>>,
    /// What makes the task again what it was.
    undo: Sequence,
}

/// execve(2) in a task. `Ok`: the program runs, or has run. A refusal leaves the task as it was, but that all its
/// descriptors from 3 up are close-on-exec.
pub fn exec(task: &Arc<Channel>, exec: &Exec) -> Result<()> {
    let mut sequence = Sequence::default();
    let attempt = Attempt::add(&mut sequence, exec);
    match task.run(&sequence, &[]) {
        Err(Failure::Executed) => Ok(()),
        ran => {
            let (reply, _) = ran?;
            if let Some(undo) = attempt.undo(&reply) {
                task.run(&undo, &[])?;
            }
            Err(attempt.failure(&sequence, &reply).without_step())
        }
    }
}

impl Attempt {
    /// Adds the steps to a sequence, as its last ones.
    pub(crate) fn add(sequence: &mut Sequence, exec: &Exec) -> Self {
        let begin = sequence.asked();
        if exec.reset_signals {
            for call in signals::default_actions() {
                sequence.step(call);
            }
            sequence.step(signals::set_mask(0));
        }
        let range = (Arg::Number(3), Arg::Number(u32::MAX as u64));
        sequence.step(descriptor::close_range(range.0, range.1, libc::CLOSE_RANGE_CLOEXEC));
        for stdio in 0..3 {
            sequence.step(descriptor::set_flags(stdio, 0).go_on()); // perhaps it is closed, and stays so
        }
        let_stdio_block(sequence);
        for fd in &exec.keep {
            sequence.step(descriptor::set_flags(*fd, 0));
        }
        sequence.step(prctl::set_death_signal(exec.death_signal));
        refuse_orphan(sequence, if exec.death_signal == 0 { 0 } else { exec.parent });
        // The end of the channel alone could also mean that the task has died.
        sequence.step(descriptor::send_on_channel(&[0; wire::NOTICE]));
        let first = sequence.len();
        let strings = |call: Call<()>| call.strings(&exec.argv).strings(&exec.envp);
        match exec.paths.split_first() {
            None => {
                let call = process::execveat(exec.fd);
                sequence.step(strings(call).number(libc::AT_EMPTY_PATH).go_on());
            }
            Some((path, [])) => {
                sequence.step(strings(process::execve(path)).go_on());
            }
            Some((path, others)) => {
                let call = strings(process::execve(path)).search();
                let [_, argv, envp, ..] = call.request.args.map(|arg| arg.of(first));
                sequence.step(call);
                for path in others {
                    sequence.step(process::execve(path).arg(argv).arg(envp).search());
                }
            }
        }
        let tries = first..sequence.len();
        let mut undo = Sequence::default();
        undo.step(prctl::set_death_signal(exec.task_death_signal));
        for fd in exec.keep.iter().filter(|fd| **fd > 2) {
            undo.step(descriptor::set_flags(*fd, libc::FD_CLOEXEC).go_on());
        }
        sequence.extend(&undo);
        Attempt { begin, tries, paths: exec.paths.clone(), undo }
    }

    /// What has to be undone still: the search has ended where something was found that cannot be executed.
    pub(crate) fn undo(&self, reply: &Reply) -> Option<Sequence> {
        let tried = !reply.ended_before(self.tries.start);
        (tried && reply.ended_before(self.tries.end)).then(|| self.undo.clone())
    }

    /// Why the task replied instead of executing. The attempt counts as one step.
    pub(crate) fn failure(&self, sequence: &Sequence, reply: &Reply) -> Failure {
        let mut failure = sequence.failure(reply, 0).unwrap_or_else(|| {
            let errors = self.tries.clone().filter_map(|step| reply.error(step));
            let paths = self.paths.iter().cloned().map(Some).chain([None]);
            why(errors.zip(paths).collect())
        });
        if let Failure::Refused(refusal) = &mut failure {
            let begin = self.begin as u32;
            refusal.step = Some(refusal.step.unwrap_or(begin).min(begin));
        }
        failure
    }
}

/// Node makes its own stdio nonblocking, and shares it with its tasks; programs expect it to block. What the program puts
/// in the place of it is its sender's.
fn let_stdio_block(sequence: &mut Sequence) {
    for fd in 0..3 {
        let nonblocking = |fd| descriptor::get_status(fd).near().is_ok_and(|status| status & libc::O_NONBLOCK != 0);
        if !sequence.replaces(fd) && nonblocking(fd) {
            sequence.step(descriptor::let_block(fd).go_on()); // perhaps it is closed in the task
        }
    }
}

/// What execvp(3) would report: the first refusal that is not about the path, else EACCES where there was one.
fn why(refusals: Vec<(i32, Option<Vec<u8>>)>) -> Failure {
    let absent = [libc::ENOENT, libc::ENOTDIR, libc::EACCES];
    let other = refusals.iter().find(|(error, _)| !absent.contains(error));
    let denied = refusals.iter().find(|(error, _)| *error == libc::EACCES);
    let (error, path) = other.or(denied).or(refusals.first()).cloned().unwrap_or((libc::ENOENT, None));
    let syscall = if path.is_some() { "execve" } else { "execveat" };
    Failure::Refused(Refusal { path, ..Refusal::new(syscall, error) })
}
