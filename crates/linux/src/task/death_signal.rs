//! The death signal of a task, which ends the task with Node: the kernel clears it with some calls, and never sends it
//! when Node has died before it was set.

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
    if !call.request.clears_death_signal || call.request.yields == Yields::Value {
        return sequence.push(call);
    }
    let signal = remember(sequence);
    let pushed = sequence.push(call);
    restore(sequence, signal);
    pushed
}

/// Adds a call as [`Sequence::step`] does. Steps around a call that clears the death signal set it again.
pub(crate) fn step<T>(sequence: &mut Sequence, call: Call<T>) -> usize {
    if !call.request.clears_death_signal {
        return sequence.step(call);
    }
    let signal = remember(sequence);
    let step = sequence.step(call);
    restore(sequence, signal);
    step
}

/// Adds the step that finds the death signal out. Where a seccomp filter of the task forbids it, the signal is lost,
/// and the call itself still runs.
fn remember(sequence: &mut Sequence) -> Arg {
    let step = sequence.aside(|sequence| sequence.step(get_death_signal().go_on()));
    Arg::Written(step as u32)
}

fn restore(sequence: &mut Sequence, signal: Arg) {
    sequence.aside(|sequence| {
        sequence.step(restore_death_signal(signal).go_on());
        // Node may have died while the task had no death signal.
        refuse_orphan(sequence, 0);
    });
}

/// Adds steps that end the sequence if Node has died: a death signal that is set afterwards never comes. `parent`: the
/// pid that the task's parent must still have; 0: any pid. The task has received the sequence on its own channel, so no
/// other message is there.
pub(crate) fn refuse_orphan(sequence: &mut Sequence, parent: i32) {
    expect_parent(sequence, parent);
    // The channel ends with Node. recvmsg(2) then returns 0, and otherwise fails, because it does not wait. The stub needs
    // this call anyway, and unlike ppoll(2) the kernel grants it at a limit of 0 open files.
    let receive = Call::new("recvmsg", libc::SYS_recvmsg).arg(Arg::Channel(0)).inout(&[0; size_of::<libc::msghdr>()]);
    let received = sequence.step(receive.number(libc::MSG_PEEK | libc::MSG_DONTWAIT).go_on());
    let alive = Arg::Number(-i64::from(libc::EAGAIN) as u64);
    sequence.step(expect("recvmsg", Arg::Result(received as u32), alive, Errno::EPIPE));
}

/// Adds steps that end the first sequence of a new task if Node has died, as [`refuse_orphan`] does. The next message may
/// already be in the channel.
pub(crate) fn refuse_early_orphan(sequence: &mut Sequence, parent: i32) {
    expect_parent(sequence, parent);
    // The channel ends with Node. ppoll(2) then reports POLLHUP, and so returns 1 instead of 0.
    let poll = Call::new("ppoll", libc::SYS_ppoll).input(&[0; 8]).holding(0, 4, Arg::Channel(0)).number(1);
    let ended = Arg::Result(sequence.step(poll.input(&[0; 16]).number(0).number(0)) as u32);
    sequence.step(expect("ppoll", ended, Arg::Number(0), Errno::EPIPE));
}

/// Adds steps that end the sequence unless the task's parent has the pid `parent`; 0: any pid. The parent is the spawner
/// thread, which may end before Node's other threads, and the channel ends with the last of them. A parent that is still
/// there when the death signal is set will send it.
fn expect_parent(sequence: &mut Sequence, parent: i32) {
    if parent != 0 {
        let pid = Arg::Result(sequence.step(credentials::getppid()) as u32);
        sequence.step(expect("getppid", pid, Arg::Number(parent as u64), Errno::ESRCH));
    }
}
