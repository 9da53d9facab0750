//! A task that stands by a program instead of serving: the one that leaves nobody behind.

use crate::call::Call;
use crate::channel::{Channel, Ran};
use crate::child::{Child, Death};
use crate::descriptor;
use crate::error::{refused, Result};
use crate::pidfd;
use crate::process;
use crate::program::Program;
use crate::wire;
use nix::errno::Errno;
use std::sync::Arc;

const ALL: u64 = u64::MAX;

/// Makes a task the supervisor of a child of its own, until that has ended and nobody is left of what it started. With
/// `forward`, signals that the task gets go to the program. The task takes no more calls.
pub fn supervise(task: &Arc<Channel>, program: &Arc<Child>, forward: bool) -> Result<()> {
    let Some(pid) = program.pid_in(task) else { return Err(refused("waitid", Errno::ECHILD)) };
    let mut before = Program::default();
    let own = before.step(Call::new("getpid", libc::SYS_getpid));
    let signals = if forward { ALL } else { 1 << (libc::SIGCHLD - 1) };
    let signals = before.step(process::signalfd(signals));
    let list = descriptor::openat(libc::AT_FDCWD, b"/proc/thread-self/children", libc::O_RDONLY | libc::O_CLOEXEC, 0);
    let name = list.request.name;
    let list = before.step(list.reading(|_| ()).go_on());
    before.step(process::block_signals(ALL));
    // Of its pid namespace, a process 1 gets the orphans anyway.
    before.step(process::set_child_subreaper());
    let (reply, _) = task.run(&before, &[])?;
    if let Some(failure) = before.failure(&reply, 0) {
        return Err(failure.without_step());
    }
    let number = |step| reply.result(step).unwrap_or(-1) as i32;
    let first = number(own) == 1;
    if let Some(errno) = reply.errno(list).filter(|_| !first) {
        return Err(refused(name, errno));
    }
    let mut standing_by = Program::default();
    if !first {
        // The end of the channel is told to it, and then it has work to do. The kernel does that work for a process 1.
        standing_by.step(process::set_death_signal(0));
    }
    let call = Call::new("supervise", wire::SUPERVISE as i64).number(pid).fd(number(signals)).number(if first {
        -1
    } else {
        number(list)
    });
    let call = pidfd::ended(call);
    let read = call.read;
    let step = standing_by.step(call);
    task.set_supervises();
    program.supervise();
    let program = program.clone();
    let done = move |ran: Result<Ran>| {
        let seen = ran.ok().and_then(|ran| ran.reply.answer(step).and_then(|answer| read(&answer)));
        program.supervised(seen.map(|(state, usage)| Death { state, usage }));
    };
    task.submit(standing_by, Vec::new(), Box::new(done));
    Ok(())
}
