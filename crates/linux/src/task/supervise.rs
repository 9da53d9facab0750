//! A task that stands by a program instead of serving: the one that leaves nobody behind.

use crate::call::Call;
use crate::calls::credentials;
use crate::calls::descriptor;
use crate::calls::prctl;
use crate::calls::process;
use crate::calls::signals;
use crate::error::{refused, Result};
use crate::sequence::list::Sequence;
use crate::task::channel::{Channel, Ran};
use crate::task::transfer;
use crate::wait::child::{Child, Death};
use crate::wire;
use nix::errno::Errno;
use std::sync::Arc;

const ALL: u64 = u64::MAX;

/// More bytes than `/proc/pid/status` has, but with groups by the thousand.
const STATUS: u32 = 16 * 1024;

/// Makes a task the supervisor of a child of its own, until that has ended and nobody is left of what it started. With
/// `forward`, signals that the task gets go to the program. The task takes no more calls.
pub fn supervise(task: &Arc<Channel>, program: &Arc<Child>, forward: bool) -> Result<()> {
    let Some(pid) = program.pid_in(task) else { return Err(refused("waitid", Errno::ECHILD)) };
    let mut before = Sequence::default();
    let own = before.step(credentials::getpid());
    let wanted = if forward { ALL } else { 1 << (libc::SIGCHLD - 1) };
    let signals = before.step(signals::signalfd(wanted));
    let open = |path| descriptor::openat(libc::AT_FDCWD, path, libc::O_RDONLY | libc::O_CLOEXEC, 0);
    let status = before.push(open(b"/proc/thread-self/status").go_on())?;
    let status_text = descriptor::read(status, STATUS, None);
    let read_status = status_text.read;
    let status_text = before.step(status_text.go_on());
    before.step(descriptor::close(status).go_on());
    let list = open(b"/proc/thread-self/children");
    let name = list.request.name;
    let list = before.step(list.go_on());
    let (reply, _) = task.run(&before, &[])?;
    if let Some(failure) = before.failure(&reply, 0) {
        return Err(failure.without_step());
    }
    let number = |step| reply.result(step).unwrap_or(-1) as i32;
    let first = number(own) == 1;
    // The pids in a list of another namespace would be strangers' here.
    let foreign = reply.answer(status_text).is_some_and(|answer| has_several_pids(&read_status(&answer)));
    let refuse = |failure| {
        transfer::close_all(task, &[number(signals), number(list)], || {});
        Err(failure)
    };
    if let Some(errno) = reply.errno(list).or(foreign.then_some(Errno::ENOENT)).filter(|_| !first) {
        return refuse(refused(name, errno));
    }
    // All this holds when the program is told to execute.
    let mut ready = Sequence::default();
    // Of its pid namespace, a process 1 gets the orphans anyway.
    ready.step(prctl::set_child_subreaper());
    // A signal to the group of this process, SIGKILL above all, must not end both at once. A leader of a group has its own.
    ready.step(credentials::setsid().go_on());
    // A program of the same user must not get hold of it.
    ready.step(prctl::set_dumpable(false));
    // Where it is ignored, nobody is told of a child's end, and no status is kept.
    ready.step(signals::sigaction(libc::SIGCHLD, false));
    ready.step(signals::set_mask(ALL));
    let (reply, _) = task.run(&ready, &[])?;
    if let Some(failure) = ready.failure(&reply, 0) {
        return refuse(failure.without_step());
    }
    // From here on nothing is refused.
    let mut standing_by = Sequence::default();
    if !first {
        // The end of the channel is told to it, and then it has work to do. The kernel does that work for a process 1.
        standing_by.step(prctl::set_death_signal(0));
    }
    let call = Call::new("supervise", wire::SUPERVISE as i64).number(pid).fd(number(signals)).number(if first {
        -1
    } else {
        number(list)
    });
    let call = process::ended(call);
    let read = call.read;
    let step = standing_by.step(call);
    task.set_supervises();
    program.set_supervised();
    let program = program.clone();
    let done = move |ran: Result<Ran>| {
        let seen = ran.ok().and_then(|ran| ran.reply.answer(step).and_then(|answer| read(&answer)));
        program.supervisor_replied(seen.map(|(state, usage)| Death { state, usage }));
    };
    task.submit(standing_by, Vec::new(), Box::new(done));
    Ok(())
}

/// Whether the `/proc` that showed this is one of a pid namespace further out: there a process has a pid for each.
fn has_several_pids(status: &[u8]) -> bool {
    let mut lines = status.split(|byte| *byte == b'\n');
    let pids = lines.find_map(|line| line.strip_prefix(b"NSpid:\t"));
    pids.is_some_and(|pids| pids.contains(&b'\t'))
}
