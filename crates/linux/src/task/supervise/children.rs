//! The list of a task's children in `/proc`, from which a supervisor takes the processes that it kills.

use crate::call::Call;
use crate::calls::descriptor;
use crate::error::{Failure, Refusal, Result};
use crate::sequence::list::Sequence;
use crate::sequence::reply::Reply;

const PROC: &[u8] = b"/proc";
const LIST: &[u8] = b"thread-self/children";

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

/// The steps of a sequence that open the list of the children. None of them ends the sequence: process 1 of a pid namespace
/// needs no list.
pub(super) struct Opening {
    proc: usize,
    list: usize,
    file_system: usize,
    status: usize,
}

impl Opening {
    pub fn add_to(sequence: &mut Sequence) -> Result<Self> {
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let proc = sequence.len();
        let folder = sequence.push(descriptor::openat(libc::AT_FDCWD, PROC, flags, 0).go_on())?;
        let list = sequence.len();
        let children = sequence.push(open_in(folder, LIST).go_on())?;
        let file_system = sequence.step(descriptor::file_system_type(children).go_on());
        let file = sequence.push(open_in(folder, b"thread-self/status").go_on())?;
        let status = sequence.step(descriptor::read(file, STATUS_LENGTH, None).go_on());
        sequence.step(descriptor::close(file).go_on());
        Ok(Opening { proc, list, file_system, status })
    }

    /// Returns the list that was opened, or why there is none. The root of a container to which the task has moved may have
    /// mounted anything at `/proc`. The list counts if it lies in a procfs, and if nothing is mounted between the root of
    /// this procfs and the list: `thread-self` is the task then.
    pub fn opened(&self, reply: &Reply) -> Result<ChildList> {
        if let Some(number) = reply.error(self.proc) {
            return Err(refused("openat", number, PROC));
        }
        let file_system = reply.answer(self.file_system).map(|answer| answer.u64(0));
        if file_system != Some(libc::PROC_SUPER_MAGIC as u64) {
            let number = reply.error(self.list).unwrap_or(libc::ENOENT);
            return Err(refused("openat2", number, &[PROC, b"/", LIST].concat()));
        }
        let [list, proc] = self.descriptors(reply);
        Ok(ChildList { list, proc, has_own_pids: self.has_own_pids(reply) })
    }

    /// Returns the descriptors that were opened, -1 for one that was not.
    pub fn descriptors(&self, reply: &Reply) -> [i32; 2] {
        [self.list, self.proc].map(|step| reply.result(step).unwrap_or(-1) as i32)
    }

    /// Returns whether `/proc` belongs to the pid namespace of the task: the `/proc` of an outer pid namespace shows a pid
    /// for each namespace. Returns false if that is not to be found out.
    fn has_own_pids(&self, reply: &Reply) -> bool {
        let text = reply.answer(self.status).map(|answer| answer.written()).unwrap_or_default();
        let mut lines = text.split_inclusive(|byte| *byte == b'\n');
        let pids = lines.find_map(|line| line.strip_prefix(b"NSpid:")).filter(|pids| pids.ends_with(b"\n"));
        pids.is_some_and(|pids| pids.split(u8::is_ascii_whitespace).filter(|pid| !pid.is_empty()).count() == 1)
    }
}

/// Opens a file below `/proc`, through no other mount.
fn open_in(proc: i32, path: &[u8]) -> Call<i32> {
    descriptor::openat2(proc, path, (libc::O_RDONLY | libc::O_CLOEXEC) as u64, 0, libc::RESOLVE_NO_XDEV)
}

fn refused(syscall: &'static str, number: i32, path: &[u8]) -> Failure {
    Failure::Refused(Refusal { path: Some(path.to_vec()), ..Refusal::new(syscall, number) })
}
