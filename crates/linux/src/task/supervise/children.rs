//! The list of a task's children in `/proc`, from which a supervisor takes the processes that it kills.

use crate::calls::descriptor;
use crate::error::Result;
use crate::sequence::list::Sequence;
use crate::sequence::reply::Reply;
use crate::task::own_proc;

/// More bytes than `/proc/thread-self/status` has up to its list of pids, except for a process with hundreds of groups.
const STATUS_LENGTH: u32 = 4096;

/// The list of the children of a task, as descriptors of the task.
pub(super) struct ChildList {
    /// `/proc/thread-self/children`.
    pub list: i32,
    /// The folder `/proc`, in which the numbers of the list name the children.
    pub proc: i32,
    /// True when the numbers of the list are pids in the pid namespace of the task. A `/proc` of an outer pid namespace
    /// lists the children by pids that mean other processes to the task.
    pub has_own_pids: bool,
}

/// Adds steps that open `/proc` and the list, in this order. Returns the step that reads the status of the task.
pub(super) fn open_list(sequence: &mut Sequence) -> Result<usize> {
    let proc = own_proc::open_folder(sequence)?;
    sequence.push(own_proc::open_file(proc, b"thread-self/children", libc::O_RDONLY))?;
    let file = sequence.push(own_proc::open_file(proc, b"thread-self/status", libc::O_RDONLY))?;
    let status = sequence.step(descriptor::read(file, STATUS_LENGTH, None));
    sequence.step(descriptor::close(file));
    Ok(status)
}

/// Returns whether `/proc` belongs to the pid namespace of the task: the `/proc` of an outer pid namespace shows a pid for
/// each namespace. Returns false if that is not to be found out.
pub(super) fn shows_own_pids(reply: &Reply, status: usize) -> bool {
    let text = reply.answer(status).map(|answer| answer.written()).unwrap_or_default();
    let mut lines = text.split_inclusive(|byte| *byte == b'\n');
    let pids = lines.find_map(|line| line.strip_prefix(b"NSpid:")).filter(|pids| pids.ends_with(b"\n"));
    pids.is_some_and(|pids| pids.split(u8::is_ascii_whitespace).filter(|pid| !pid.is_empty()).count() == 1)
}
