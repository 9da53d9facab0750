//! A supervisor: a task that stands by a program instead of serving, and ends all processes that the program leaves
//! behind.

use crate::call::{Answer, Call};
use crate::calls::credentials;
use crate::calls::descriptor;
use crate::calls::prctl;
use crate::calls::process;
use crate::calls::signals;
use crate::error::{refused, Result};
use crate::sequence::list::Sequence;
use crate::sequence::reply::Reply;
use crate::task::channel::{Channel, Ran};
use crate::task::transfer;
use crate::wait::child::{Child, Death};
use crate::wire;
use nix::errno::Errno;
use std::sync::Arc;

const ALL_SIGNALS: u64 = u64::MAX;
const SIGCHLD_ALONE: u64 = 1 << (libc::SIGCHLD - 1);

/// More bytes than `/proc/thread-self/status` has, except for a process with thousands of groups.
const STATUS_LENGTH: u32 = 16 * 1024;
/// More bytes than `/proc/thread-self/status` has with 65536 groups, the most that a process can have.
const LONGEST_STATUS: u32 = 1024 * 1024;

/// Makes a task the supervisor of one of its children, until that program and all its descendants have ended. With
/// `forward`, the supervisor passes the signals that it gets on to the program. The task takes no more calls.
pub fn supervise(task: &Arc<Channel>, program: &Arc<Child>, forward: bool) -> Result<()> {
    let Some(pid) = program.pid_in(task) else { return Err(refused("waitid", Errno::ECHILD)) };
    let view = View::open(task, forward)?;
    if let Err(failure) = become_supervisor(task, view.is_init) {
        view.close(task);
        return Err(failure);
    }
    // From here on no call is refused.
    stand_by(task, program, pid, view);
    Ok(())
}

/// The descriptors of the task through which a supervisor sees signals and children.
struct View {
    signals: i32,
    /// `/proc/thread-self/children`; -1 where it could not be opened.
    children: i32,
    /// True when the task is process 1 of its pid namespace, and so all other processes that it sees are to end with
    /// it.
    is_init: bool,
}

impl View {
    fn open(task: &Arc<Channel>, forward: bool) -> Result<Self> {
        let mut sequence = Sequence::default();
        let getpid = sequence.step(credentials::getpid());
        let signals = sequence.step(signals::signalfd(if forward { ALL_SIGNALS } else { SIGCHLD_ALONE }));
        let status = Status::read_in(&mut sequence, STATUS_LENGTH)?;
        let open_children = open(b"/proc/thread-self/children");
        let name = open_children.request.name;
        let children = sequence.step(open_children.go_on());
        let (reply, _) = task.run(&sequence, &[])?;
        if let Some(failure) = sequence.failure(&reply, 0) {
            return Err(failure.without_step());
        }
        let number = |step| reply.result(step).unwrap_or(-1) as i32;
        let view = View { signals: number(signals), children: number(children), is_init: number(getpid) == 1 };
        if view.is_init {
            return Ok(view);
        }
        // A `/proc` of another pid namespace lists the children by pids that mean other processes to the task.
        let own = match status.has_one_pid(&reply) {
            Some(own) => Ok(own),
            None => has_one_pid(task),
        };
        let refusal = match (reply.errno(children), own) {
            (None, Ok(true)) => return Ok(view),
            (None, Ok(false)) => refused(name, Errno::ENOENT),
            (None, Err(failure)) => failure,
            (Some(errno), _) => refused(name, errno),
        };
        view.close(task);
        Err(refusal)
    }

    fn close(&self, task: &Arc<Channel>) {
        transfer::close_all(task, &[self.signals, self.children], || {});
    }
}

/// Sets the attributes that a supervisor needs. The program executes only afterwards.
fn become_supervisor(task: &Arc<Channel>, is_init: bool) -> Result<()> {
    let mut sequence = Sequence::default();
    // Orphans become children of the supervisor. Process 1 of a pid namespace gets them anyway.
    sequence.step(prctl::set_child_subreaper());
    // A signal to the process group of Node, SIGKILL above all, must not end supervisor and program at once. EPERM: the
    // task leads a group already, and so is not in Node's.
    sequence.step(credentials::setsid().go_on());
    // A program of the same user must not be able to trace the supervisor.
    sequence.step(prctl::set_dumpable(false));
    // While SIGCHLD is ignored, the kernel reaps children itself: no signal comes, and no status is kept.
    sequence.step(signals::sigaction(libc::SIGCHLD, false));
    sequence.step(signals::set_mask(ALL_SIGNALS));
    if !is_init {
        // When Node dies, the supervisor sees the end of the channel and kills the processes. A death signal would end
        // the supervisor before it has done that, also while its last message is still on the way and the program runs
        // already. Process 1 keeps its signal: when it ends, the kernel kills all other processes of its namespace.
        sequence.step(prctl::set_death_signal(0));
    }
    let (reply, _) = task.run(&sequence, &[])?;
    sequence.failure(&reply, 0).map_or(Ok(()), |failure| Err(failure.without_step()))
}

/// Has the task stand by the program. The reply comes when the program and its descendants have ended.
fn stand_by(task: &Arc<Channel>, program: &Arc<Child>, pid: i32, view: View) {
    let mut sequence = Sequence::default();
    let call = Call::new("supervise", wire::SUPERVISE as i64).number(pid).fd(view.signals);
    let call = process::ended(call.number(if view.is_init { -1 } else { view.children }));
    let read = call.read;
    let step = sequence.step(call);
    task.set_supervises();
    program.set_supervised();
    let program = program.clone();
    let done = move |ran: Result<Ran>| {
        let seen = ran.ok().and_then(|ran| ran.reply.answer(step).and_then(|answer| read(&answer)));
        // A hostile supervisor may report anything.
        let seen = seen.filter(|(state, _)| state.answers(libc::WEXITED));
        program.supervisor_replied(seen.map(|(state, usage)| Death { state, usage }));
    };
    task.submit(sequence, Vec::new(), Box::new(done));
}

fn open(path: &[u8]) -> Call<i32> {
    descriptor::openat(libc::AT_FDCWD, path, libc::O_RDONLY | libc::O_CLOEXEC, 0)
}

/// The step of a sequence that reads `/proc/thread-self/status`.
struct Status {
    step: usize,
    text: fn(&Answer) -> Vec<u8>,
}

impl Status {
    /// Adds steps that read the first `length` bytes of the status, or nothing where there is no status.
    fn read_in(sequence: &mut Sequence, length: u32) -> Result<Self> {
        let status = sequence.push(open(b"/proc/thread-self/status").go_on())?;
        let read = descriptor::read(status, length, None);
        let text = read.read;
        let step = sequence.step(read.go_on());
        sequence.step(descriptor::close(status).go_on());
        Ok(Status { step, text })
    }

    /// Returns whether the `/proc` belongs to the pid namespace of the task: the `/proc` of an outer pid namespace shows a
    /// pid for each namespace. Returns `None` if the bytes end before the list of pids does.
    fn has_one_pid(&self, reply: &Reply) -> Option<bool> {
        let text = (self.text)(&reply.answer(self.step)?);
        let (_, after) = text.split_at(text.windows(7).position(|name| name == b"\nNSpid:")? + 7);
        let pids = &after[..after.iter().position(|byte| *byte == b'\n')?];
        Some(pids.split(u8::is_ascii_whitespace).filter(|pid| !pid.is_empty()).count() == 1)
    }
}

/// Returns whether the `/proc` of a task belongs to the pid namespace of the task; also false when that is not to be found
/// out.
fn has_one_pid(task: &Arc<Channel>) -> Result<bool> {
    let mut sequence = Sequence::default();
    let status = Status::read_in(&mut sequence, LONGEST_STATUS)?;
    let (reply, _) = task.run(&sequence, &[])?;
    Ok(status.has_one_pid(&reply).unwrap_or(false))
}
