//! The death signal of a task, which ends the task with Node: the kernel clears it with some calls, and never sends it when
//! Node has died before it was set.

use crate::call::{Arg, Call, Yields};
use crate::calls::credentials;
use crate::calls::prctl::{get_death_signal, restore_death_signal};
use crate::calls::stub::expect;
use crate::error::Result;
use crate::sequence::list::Sequence;
use nix::errno::Errno;

/// Adds a call as [`Sequence::push`] does. Steps around a call that clears the death signal set it again.
pub(crate) fn push<T>(sequence: &mut Sequence, call: Call<T>) -> Result<T> {
    // A call that is going to be refused gets no steps around it.
    let kept = call.request.clears_death_signal && call.request.yields != Yields::Value;
    add(sequence, kept, |sequence| sequence.push(call))
}

/// Adds a call as [`Sequence::step`] does. Steps around a call that clears the death signal set it again.
pub(crate) fn step<T>(sequence: &mut Sequence, call: Call<T>) -> usize {
    add(sequence, call.request.clears_death_signal, |sequence| sequence.step(call))
}

fn add<T>(sequence: &mut Sequence, kept: bool, add: impl FnOnce(&mut Sequence) -> T) -> T {
    if !kept {
        return add(sequence);
    }
    // Where a seccomp filter of the task forbids these two calls, the signal is lost, and the call itself still runs.
    let signal = sequence.aside(|sequence| sequence.step(get_death_signal().go_on()));
    let added = add(sequence);
    sequence.aside(|sequence| {
        sequence.step(restore_death_signal(Arg::Written(signal as u32)).go_on());
        // Node may have died while the task had no death signal.
        refuse_orphan(sequence, 0);
    });
    added
}

/// Adds steps that end the sequence if Node has died: a death signal that is set afterwards never comes. `parent`: the pid
/// that the task's parent must still have; 0: any pid.
pub(crate) fn refuse_orphan(sequence: &mut Sequence, parent: i32) {
    if parent != 0 {
        let pid = Arg::Result(sequence.step(credentials::getppid()) as u32);
        sequence.step(expect("getppid", pid, Arg::Number(parent as u64), Errno::ESRCH));
    }
    // The channel ends with Node. ppoll(2) then reports POLLHUP, and so returns 1 instead of 0.
    let poll = Call::new("ppoll", libc::SYS_ppoll).input(&[0; 8]).holding(0, 4, Arg::Channel(0)).number(1);
    let ended = Arg::Result(sequence.step(poll.input(&[0; 16]).number(0).number(0)) as u32);
    sequence.step(expect("ppoll", ended, Arg::Number(0), Errno::EPIPE));
}
