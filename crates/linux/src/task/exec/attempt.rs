//! The steps of a sequence that execute a program, and their results.

use super::refused::{Refused, Tried};
use super::Exec;
use crate::call::{Arg, Call};
use crate::calls::descriptor;
use crate::calls::prctl;
use crate::calls::process;
use crate::calls::seccomp;
use crate::calls::signals;
use crate::error::Failure;
use crate::sequence::list::Sequence;
use crate::sequence::reply::Reply;
use crate::task::death_signal::refuse_orphan;
use nix::errno::Errno;
use std::ops::Range;

/// The last steps of a sequence, which execute a program.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// How many steps were asked for before the attempt.
    asked_before: usize,
    /// The steps that call execve(2), one for each path.
    tries: Range<usize>,
    paths: Vec<Vec<u8>>,
    /// The name whose paths these are; `None`: the caller has given the path.
    name: Option<Vec<u8>>,
    default_path: bool,
    fd: i32,
    /// True when the descriptor stays open in the program.
    keeps_fd: bool,
    /// True when the task has filters by then, which may answer other calls in place of the kernel, or kill the task.
    filtered: bool,
    /// The calls that make the task again as it was. With filters there are none.
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
        let filtered = !exec.filters.is_empty();
        for (index, filter) in exec.filters.iter().enumerate() {
            // After the notice, so that a filter has to allow no other call of the task than prctl(2) for the next and execve(2).
            let set = if index == 0 { seccomp::set_filter } else { seccomp::set_further_filter };
            sequence.step(set(filter));
        }
        let tries = add_tries(sequence, exec);
        let undo = if filtered { Sequence::default() } else { undo(exec) };
        sequence.extend(&undo);
        Attempt {
            asked_before,
            tries,
            paths: exec.paths.clone(),
            name: exec.name.clone(),
            default_path: exec.default_path,
            fd: exec.fd,
            keeps_fd: exec.keep.contains(&exec.fd),
            filtered,
            undo,
        }
    }

    /// Returns the calls that still have to be made after a refusal. The undo steps of the sequence itself have not run
    /// when the search ended at a file that cannot be executed.
    pub(crate) fn missing_undo(&self, reply: &Reply) -> Option<Sequence> {
        let tried = !reply.ended_before(self.tries.start);
        let missing = tried && reply.ended_before(self.tries.end) && !self.filtered;
        missing.then(|| self.undo.clone())
    }

    /// Returns what is known about the refusal when the task has replied instead of executing. All steps of the attempt count
    /// as one.
    pub(crate) fn refused(&self, sequence: &Sequence, reply: &Reply) -> Refused {
        let before = self.asked_before as u32;
        // With a filter the last try is the last step, and its error counts no more than those of the others.
        let all_tried = self.filtered && self.tries.clone().next_back().is_some_and(|last| !reply.ended_before(last));
        if let Some(mut failure) = sequence.failure(reply, 0).filter(|_| !all_tried) {
            if let Failure::Refused(refusal) = &mut failure {
                refusal.step = refusal.step.map(|step| step.min(before));
                // The kernel refuses a process too many before it looks at the file. So the first folder says nothing.
                if let (Errno::EAGAIN, Some(name)) = (refusal.errno, &self.name) {
                    refusal.path = Some(name.clone());
                }
            }
            return Refused::at_another_step(failure);
        }
        let mut errors = self.tries.clone().filter_map(|step| reply.error(step));
        if self.paths.is_empty() {
            let error = errors.next().unwrap_or(libc::ENOENT);
            let fd = self.fd_number(sequence, reply);
            return Refused::of_descriptor(error, fd, self.keeps_fd, before).without_look_if(self.filtered);
        }
        let tries = errors.zip(&self.paths).map(|(error, path)| Tried::new(error, path)).collect();
        Refused::of_paths(tries, self.name.clone(), self.default_path, before).without_look_if(self.filtered)
    }

    /// Returns the number of the descriptor that was to be executed. The number of a slot is known from the reply.
    fn fd_number(&self, sequence: &Sequence, reply: &Reply) -> i32 {
        match Arg::descriptor(self.fd) {
            Arg::Slot(slot) => sequence.made(reply).get(slot as usize).copied().unwrap_or(-1),
            _ => self.fd,
        }
    }
}

/// Returns the calls that make the task again as it was.
fn undo(exec: &Exec) -> Sequence {
    let mut undo = Sequence::default();
    undo.step(prctl::set_death_signal(exec.task_death_signal));
    for fd in exec.keep.iter().filter(|fd| **fd > 2) {
        undo.step(descriptor::set_flags(*fd, libc::FD_CLOEXEC).go_on());
    }
    undo
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
