//! The steps of a sequence that execute a program, and their results.

use super::Exec;
use crate::call::{Arg, Call};
use crate::calls::descriptor;
use crate::calls::prctl;
use crate::calls::process;
use crate::calls::signals;
use crate::error::{Failure, Refusal};
use crate::sequence::list::Sequence;
use crate::sequence::reply::Reply;
use crate::task::death_signal::refuse_orphan;
use std::ops::Range;

/// The last steps of a sequence, which execute a program.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// How many steps were asked for before the attempt.
    asked_before: usize,
    /// The steps that call execve(2), one for each path.
    tries: Range<usize>,
    paths: Vec<Vec<u8>>,
    /// The calls that make the task again as it was.
    undo: Sequence,
}

impl Attempt {
    /// Adds the steps to a sequence, as its last ones.
    pub(crate) fn add(sequence: &mut Sequence, exec: &Exec) -> Self {
        let asked_before = sequence.asked();
        if exec.reset_signals {
            for call in signals::default_actions() {
                sequence.step(call);
            }
            sequence.step(signals::set_mask(0));
        }
        add_descriptors(sequence, exec);
        sequence.step(prctl::set_death_signal(exec.death_signal));
        refuse_orphan(sequence, if exec.death_signal == 0 { 0 } else { exec.parent });
        // The notice before the end of the channel means that the program has begun. Without it the task has died.
        sequence.step(descriptor::send_notice());
        let tries = add_tries(sequence, exec);
        let mut undo = Sequence::default();
        undo.step(prctl::set_death_signal(exec.task_death_signal));
        for fd in exec.keep.iter().filter(|fd| **fd > 2) {
            undo.step(descriptor::set_flags(*fd, libc::FD_CLOEXEC).go_on());
        }
        sequence.extend(&undo);
        Attempt { asked_before, tries, paths: exec.paths.clone(), undo }
    }

    /// Returns the calls that still have to be made after a refusal. The undo steps of the sequence itself have not run
    /// when the search ended at a file that cannot be executed.
    pub(crate) fn missing_undo(&self, reply: &Reply) -> Option<Sequence> {
        let tried = !reply.ended_before(self.tries.start);
        (tried && reply.ended_before(self.tries.end)).then(|| self.undo.clone())
    }

    /// Returns the reason why the task replied instead of executing. All steps of the attempt count as one.
    pub(crate) fn failure(&self, sequence: &Sequence, reply: &Reply) -> Failure {
        let mut failure = sequence.failure(reply, 0).unwrap_or_else(|| {
            let errors = self.tries.clone().filter_map(|step| reply.error(step));
            let paths = self.paths.iter().cloned().map(Some).chain([None]);
            choose_refusal(errors.zip(paths).collect())
        });
        if let Failure::Refused(refusal) = &mut failure {
            let before = self.asked_before as u32;
            refusal.step = Some(refusal.step.unwrap_or(before).min(before));
        }
        failure
    }
}

/// Adds the calls that leave stdio and `keep` open in the program, and nothing else.
fn add_descriptors(sequence: &mut Sequence, exec: &Exec) {
    let last = Arg::Number(u32::MAX as u64);
    sequence.step(descriptor::close_range(Arg::Number(3), last, libc::CLOSE_RANGE_CLOEXEC));
    for stdio in 0..3 {
        sequence.step(descriptor::set_flags(stdio, 0).go_on()); // EBADF: stdio that is closed stays closed
    }
    // Node makes its own stdio nonblocking and shares the open file with its tasks, but a program expects its stdio to
    // block. A descriptor that the sequence puts in place of stdio is left as its sender made it.
    for stdio in 0..3 {
        if !sequence.replaces(stdio) && is_nonblocking(stdio) {
            sequence.step(descriptor::let_block(stdio).go_on()); // EBADF: the task may have closed it
        }
    }
    for fd in &exec.keep {
        sequence.step(descriptor::set_flags(*fd, 0));
    }
}

/// True when a descriptor of this process is nonblocking.
fn is_nonblocking(fd: i32) -> bool {
    descriptor::get_status(fd).near().is_ok_and(|status| status & libc::O_NONBLOCK != 0)
}

/// Adds an execve(2) for each path, or one execveat(2). Returns the steps.
fn add_tries(sequence: &mut Sequence, exec: &Exec) -> Range<usize> {
    let first = sequence.len();
    let strings = |call: Call<()>| call.strings(&exec.argv).string_block(&exec.envp);
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
            // The later steps point to the strings of the first one.
            let [_, argv, envp, ..] = call.request.args.map(|arg| arg.of(first));
            sequence.step(call);
            for path in others {
                sequence.step(process::execve(path).arg(argv).arg(envp).search());
            }
        }
    }
    first..sequence.len()
}

/// Chooses the refusal that execvp(3) would report: the first one that is not about the path, else an EACCES, else the
/// first.
fn choose_refusal(refusals: Vec<(i32, Option<Vec<u8>>)>) -> Failure {
    let absent = [libc::ENOENT, libc::ENOTDIR, libc::EACCES];
    let other = refusals.iter().find(|(error, _)| !absent.contains(error));
    let denied = refusals.iter().find(|(error, _)| *error == libc::EACCES);
    let (error, path) = other.or(denied).or(refusals.first()).cloned().unwrap_or((libc::ENOENT, None));
    let syscall = if path.is_some() { "execve" } else { "execveat" };
    Failure::Refused(Refusal { path, ..Refusal::new(syscall, error) })
}
