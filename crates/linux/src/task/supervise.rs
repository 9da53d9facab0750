//! A supervisor: a task that stands by a program instead of serving, and ends all processes that the program leaves
//! behind.

mod children;

use self::children::ChildList;
use crate::call::{Arg, Call};
use crate::calls::credentials;
use crate::calls::descriptor;
use crate::calls::prctl;
use crate::calls::process;
use crate::calls::signals;
use crate::error::{refused, Failure, Result};
use crate::sequence::list::Sequence;
use crate::task::channel::{Channel, Ran};
use crate::task::transfer;
use crate::wait::child::{Child, Death};
use crate::wire;
use nix::errno::Errno;
use std::sync::Arc;

const ALL_SIGNALS: u64 = u64::MAX;
const SIGCHLD_ALONE: u64 = 1 << (libc::SIGCHLD - 1);

/// How to supervise.
#[derive(Clone, Debug, Default)]
pub struct Supervision {
    /// True when the supervisor passes the signals that it gets on to the program.
    pub forward: bool,
    /// True when the supervisor ends a program that is stopped.
    pub ends_stopped: bool,
    /// The descriptors that stay open in the supervisor, besides stdio and those that it needs itself.
    pub keep: Vec<i32>,
    /// True when processes of the same user may look into the supervisor.
    pub dumpable: bool,
    /// True when the task was cloned as process 1 of a pid namespace: it needs no list of its children.
    pub init: bool,
}

/// The pid that stands for a program which was reaped. waitid(2) refuses it, so the supervisor waits for no program.
const REAPED: i32 = 0;

/// Makes a task the supervisor of one of its children, until that program and all its descendants have ended. `None`: the
/// program was a child of the task, and was reaped. The task takes no more calls.
pub fn supervise(task: &Arc<Channel>, program: Option<&Arc<Child>>, options: &Supervision) -> Result<()> {
    let living = program.filter(|program| program.death().is_none());
    let pid = living.map_or(Some(REAPED), |program| program.pid_in(task));
    let Some(pid) = pid else { return Err(refused("waitid", Errno::ECHILD)) };
    let channel = task.far_fd()?;
    let view = if options.init { View::of_init(task, options)? } else { View::of_other(task, options)? };
    let mut sequence = Sequence::default();
    close_others(&mut sequence, &[&[channel], view.numbers().as_slice(), &options.keep].concat());
    if options.init {
        // The program executes only when process 1 has none of the descriptors that it has made its namespaces with.
        task.run(&sequence, &[])?;
        sequence = Sequence::default();
    }
    // From here on no call is refused.
    stand_by(task, sequence, living, Program { pid, ends_stopped: options.ends_stopped }, view);
    Ok(())
}

/// Adds steps that close all descriptors but stdio and `kept`. Otherwise the reader of a pipe whose other end the task has
/// got would wait for the end of the supervisor, too.
fn close_others(sequence: &mut Sequence, kept: &[i32]) {
    let mut kept: Vec<u32> = kept.iter().filter_map(|fd| u32::try_from(*fd).ok()).filter(|fd| *fd > 2).collect();
    kept.sort_unstable();
    let mut first = 3;
    for fd in kept {
        if first < fd {
            sequence
                .step(descriptor::close_range(Arg::Number(first.into()), Arg::Number(u64::from(fd) - 1), 0).go_on());
        }
        first = fd + 1;
    }
    sequence.step(descriptor::close_range(Arg::Number(first.into()), Arg::Number(u32::MAX.into()), 0).go_on());
}

/// What a supervisor sees signals and children with: descriptors of the task.
struct View {
    signals: i32,
    /// `None`: the task is process 1 of its pid namespace, and all other processes that it sees are to end with it.
    children: Option<ChildList>,
}

impl View {
    /// Makes process 1 of a pid namespace see signals, and sets its attributes, in one message.
    fn of_init(task: &Arc<Channel>, options: &Supervision) -> Result<Self> {
        let mut sequence = Sequence::default();
        sequence.push(signals::signalfd(if options.forward { ALL_SIGNALS } else { SIGCHLD_ALONE }))?;
        add_attributes(&mut sequence, options.dumpable);
        let (reply, _) = task.run(&sequence, &[])?;
        let made = sequence.made(&reply);
        match (sequence.failure(&reply, 0), made.first()) {
            (None, Some(signals)) => Ok(View { signals: *signals, children: None }),
            (failure, _) => {
                transfer::close_all(task, &made, || {});
                Err(failure.unwrap_or(Failure::Gone).without_step())
            }
        }
    }

    /// Makes any task see signals and its children, and sets its attributes.
    fn of_other(task: &Arc<Channel>, options: &Supervision) -> Result<Self> {
        let view = View::open(task, options.forward)?;
        match become_supervisor(task, view.children.is_none(), options.dumpable) {
            Ok(()) => Ok(view),
            Err(failure) => {
                view.close(task);
                Err(failure)
            }
        }
    }

    fn open(task: &Arc<Channel>, forward: bool) -> Result<Self> {
        let mut sequence = Sequence::default();
        let getpid = sequence.step(credentials::getpid());
        sequence.push(signals::signalfd(if forward { ALL_SIGNALS } else { SIGCHLD_ALONE }))?;
        let status = children::open_list(&mut sequence)?;
        let (reply, _) = task.run(&sequence, &[])?;
        let made = sequence.made(&reply);
        let [signals, proc, list] = [0, 1, 2].map(|slot| made.get(slot).copied().unwrap_or(-1));
        if reply.result(getpid) == Some(1) && signals >= 0 {
            transfer::close_all(task, &[proc, list], || {});
            return Ok(View { signals, children: None });
        }
        if let Some(failure) = sequence.failure(&reply, 0) {
            transfer::close_all(task, &made, || {});
            return Err(failure.without_step());
        }
        let has_own_pids = children::shows_own_pids(&reply, status);
        Ok(View { signals, children: Some(ChildList { list, proc, has_own_pids }) })
    }

    /// Returns the numbers of the descriptors; -1 for one that is not needed.
    fn numbers(&self) -> [i32; 3] {
        let [list, proc] = self.children.as_ref().map_or([-1; 2], |children| [children.list, children.proc]);
        [self.signals, list, proc]
    }

    fn close(&self, task: &Arc<Channel>) {
        transfer::close_all(task, &self.numbers(), || {});
    }
}

/// Sets the attributes that a supervisor needs. The program executes only afterwards.
fn become_supervisor(task: &Arc<Channel>, is_init: bool, dumpable: bool) -> Result<()> {
    let mut sequence = Sequence::default();
    add_attributes(&mut sequence, dumpable);
    if !is_init {
        // When Node dies, the supervisor sees the end of the channel and kills the processes. A death signal would end
        // the supervisor before it has done that, also while its last message is still on the way and the program runs
        // already. Process 1 keeps its signal: when it ends, the kernel kills all other processes of its namespace.
        sequence.step(prctl::set_death_signal(0));
    }
    let (reply, _) = task.run(&sequence, &[])?;
    sequence.failure(&reply, 0).map_or(Ok(()), |failure| Err(failure.without_step()))
}

/// Adds steps that set the attributes of every supervisor.
fn add_attributes(sequence: &mut Sequence, dumpable: bool) {
    // Orphans become children of the supervisor. Process 1 of a pid namespace gets them anyway.
    sequence.step(prctl::set_child_subreaper());
    // A signal to the process group of Node, SIGKILL above all, must not end supervisor and program at once. EPERM: the
    // task leads a group already, and so is not in Node's.
    sequence.step(credentials::setsid().go_on());
    // A program of the same user must not be able to trace the supervisor, unless the caller says so.
    sequence.step(prctl::set_dumpable(dumpable));
    // While SIGCHLD is ignored, the kernel reaps children itself: no signal comes, and no status is kept.
    sequence.step(signals::sigaction(libc::SIGCHLD, false));
    sequence.step(signals::set_mask(ALL_SIGNALS));
}

/// The program as the supervisor knows it.
struct Program {
    pid: i32,
    ends_stopped: bool,
}

/// Has the task run `sequence`, whose steps cannot fail, and then stand by the program. The reply comes when the program and
/// its descendants have ended.
fn stand_by(task: &Arc<Channel>, mut sequence: Sequence, program: Option<&Arc<Child>>, known: Program, view: View) {
    let flag = if known.ends_stopped { wire::ENDS_STOPPED as i64 } else { 0 };
    let pid = i64::from(known.pid) | flag;
    let list = view.children.as_ref().map_or(-1, |children| children.list);
    let proc = view.children.filter(|children| !children.has_own_pids).map_or(-1, |children| children.proc);
    let call = Call::new("supervise", wire::SUPERVISE as i64).number(pid).fd(view.signals).number(list).number(proc);
    let call = process::ended(call);
    let read = call.read;
    let step = sequence.step(call);
    task.set_supervises();
    let (program, supervisor) = (program.cloned(), task.clone());
    if let Some(program) = &program {
        program.set_supervised();
    }
    let done = move |ran: Result<Ran>| {
        let seen = ran.ok().and_then(|ran| ran.reply.answer(step).and_then(|answer| read(&answer)));
        // A hostile supervisor may report anything.
        let seen = seen.filter(|(state, _)| state.answers(libc::WEXITED));
        if seen.is_none() {
            // The supervisor has given up, or the program was reaped before. As long as a supervisor that has given up lives,
            // the program is its child, which no other process can reap.
            supervisor.hang_up();
        }
        if let Some(program) = program {
            program.supervisor_replied(seen.map(|(state, usage)| Death { state, usage }));
        }
    };
    task.submit(sequence, Vec::new(), Box::new(done));
}
