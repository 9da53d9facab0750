//! The threads of this process as `/proc` shows them. Nothing here allocates after a value was made: the other threads may
//! stand still, and one of them may hold the lock of the allocator.

use super::files::{checked, each_name, file_system, open, read_link, Error, Raw, Text};
use super::identity::{room, Identity};
use super::raw;
use crate::error::{Failure, Refusal, Result};
use crate::wait::proc_directory::stat_field;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};

/// The flag of a thread of the kernel that works for io_uring(7).
const PF_IO_WORKER: u32 = 0x10;
/// The flag of a thread of the kernel that works for this process.
const PF_USER_WORKER: u32 = 0x4000;
/// The most rings of libuv: one for each event loop, and two more.
const MOST_RINGS: usize = 8192;
/// The most digits of a thread id, with a NUL.
const NUMBER: usize = 12;

/// `/proc`, and the folder of the threads of this process in it. Both stay open, because after a change of ids this process may
/// not be allowed to look them up again.
#[derive(Debug)]
pub(super) struct Procfs {
    root: OwnedFd,
    tasks: OwnedFd,
}

/// The memory for looks at the threads. It is made before the first look.
#[derive(Debug)]
pub(super) struct Memory {
    /// For the names of a folder.
    pub names: Text,
    /// For a file.
    pub text: Text,
    /// For what a thread may do.
    pub identity: Identity,
    /// For the inodes of rings that are not in the way.
    pub rings: Vec<u64>,
}

impl Memory {
    /// Makes memory for threads with at most so many groups.
    pub(super) fn new(groups: usize) -> Self {
        let rings = Vec::with_capacity(MOST_RINGS);
        Memory { names: Text::new(room(0)), text: Text::new(room(groups)), identity: Identity::new(groups), rings }
    }
}

/// What `stat` says about a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub name: [u8; 15],
    pub state: u8,
    pub flags: u32,
}

impl Stat {
    /// True when the thread is one of the kernel, which has the credentials of whatever it works on, and makes no call of this process.
    pub(super) fn is_kernel_worker(&self) -> bool {
        self.flags & (PF_IO_WORKER | PF_USER_WORKER) != 0
    }

    /// True when the thread is one of the kernel that polls a ring of io_uring(7). Those that work off the requests of a ring have the
    /// credentials of each request's submitter.
    pub(super) fn polls_ring(&self) -> bool {
        let works_off = self.name.starts_with(b"iou-wrk-");
        self.name.starts_with(b"iou-sqp-") || self.flags & PF_IO_WORKER != 0 && !works_off
    }

    /// True when the thread has ended.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

impl Procfs {
    /// Opens `/proc`. Fails where another file system, or none, is there: its files would be made up.
    pub(super) fn open() -> Result<Self> {
        let folder = libc::O_PATH | libc::O_DIRECTORY;
        let root = open(libc::AT_FDCWD, c"/proc", folder, 0)?;
        if file_system(&root)? != libc::PROC_SUPER_MAGIC as u64 {
            let words = Some("the change of every thread reads /proc, and what is mounted there is no procfs".into());
            let path = Some(b"/proc".to_vec());
            let refusal = Refusal { words, path, ..Refusal::new("openat2", libc::ENOENT) };
            return Err(Failure::Refused(refusal));
        }
        let tasks = open(root.as_raw_fd(), c"self/task", libc::O_RDONLY | libc::O_DIRECTORY, libc::RESOLVE_NO_XDEV)?;
        Ok(Procfs { root, tasks })
    }

    /// Opens a file or a folder of this process.
    pub(super) fn open_own(&self, path: &CStr, flags: i32) -> Raw<OwnedFd> {
        open(self.root.as_raw_fd(), path, flags, libc::RESOLVE_NO_XDEV)
    }

    /// Returns the number of the calling thread in `/proc`, which may show another pid namespace.
    pub(super) fn own_number(&self) -> Raw<i32> {
        let mut target = [0u8; 64];
        let length = read_link(self.root.as_raw_fd(), c"thread-self", &mut target)?;
        let last = target.get(..length).and_then(|target| target.rsplit(|byte| *byte == b'/').next());
        last.and_then(number).ok_or(Error { call: "readlinkat", errno: libc::EINVAL })
    }

    /// Calls `each` with the number of each thread in `/proc`.
    pub(super) fn each_thread<E: From<Error>>(
        &self,
        names: &mut Text,
        mut each: impl FnMut(i32) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let begin = [self.tasks.as_raw_fd() as u64, 0, libc::SEEK_SET as u64, 0];
        checked("lseek", raw::numbers(libc::SYS_lseek, begin))?;
        each_name(&self.tasks, names, |name| number(name).map_or(Ok(()), &mut each))
    }

    /// Reads what a thread may do into `identity`.
    pub(super) fn read_identity(&self, thread: i32, text: &mut Text, identity: &mut Identity) -> Raw<()> {
        let status = self.read(thread, c"status", text)?;
        identity.set(status)
    }

    /// Returns how many threads this process has, including those that have ended and that the kernel has not removed.
    pub(super) fn thread_count(&self, own: i32, text: &mut Text) -> Raw<usize> {
        let count = status_words(self.read(own, c"status", text)?, b"Threads:").find_map(number);
        count.map(|count| count as usize).ok_or(Error { call: "read", errno: libc::EINVAL })
    }

    /// Returns the id of a thread in the pid namespace of this process.
    pub(super) fn tid(&self, thread: i32, text: &mut Text) -> Raw<i32> {
        let own = status_words(self.read(thread, c"status", text)?, b"NSpid:").last().and_then(number);
        own.ok_or(Error { call: "read", errno: libc::EINVAL })
    }

    /// True when `/proc` shows the pid namespace of this process, so that a thread has one number.
    pub(super) fn shows_own_namespace(&self, own: i32, text: &mut Text) -> Raw<bool> {
        Ok(status_words(self.read(own, c"status", text)?, b"NSpid:").count() == 1)
    }

    /// True when a thread blocks a signal.
    pub(super) fn blocks(&self, thread: i32, signal: i32, text: &mut Text) -> bool {
        let Ok(status) = self.read(thread, c"status", text) else { return false };
        let mask = status_words(status, b"SigBlk:").next().and_then(|mask| std::str::from_utf8(mask).ok());
        mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
    }

    /// Returns what `stat` says about a thread. `None`: the thread is gone.
    pub(super) fn stat(&self, thread: i32, text: &mut Text) -> Raw<Option<Stat>> {
        let stat = match self.read(thread, c"stat", text) {
            Err(Error { errno: libc::ENOENT | libc::ESRCH, .. }) => return Ok(None),
            stat => stat?,
        };
        let unreadable = Error { call: "read", errno: libc::EINVAL };
        let mut name = [0; 15];
        let begin = stat.iter().position(|byte| *byte == b'(').ok_or(unreadable)?;
        let end = stat.iter().rposition(|byte| *byte == b')').ok_or(unreadable)?;
        let bytes = stat.get(begin + 1..end).ok_or(unreadable)?;
        name.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        let state = stat_field(stat, 0).and_then(|state| state.bytes().next()).ok_or(unreadable)?;
        let flags: u32 = stat_field(stat, 6).and_then(|flags| flags.parse().ok()).ok_or(unreadable)?;
        Ok(Some(Stat { name, state, flags }))
    }

    fn read<'a>(&self, thread: i32, file: &CStr, text: &'a mut Text) -> Raw<&'a [u8]> {
        let mut path = [0u8; NUMBER + 8];
        let path = path_of(thread, file, &mut path);
        Self::read_in(&self.tasks, path, text)
    }

    /// Reads a file of an open folder.
    pub(super) fn read_in<'a>(folder: &OwnedFd, path: &CStr, text: &'a mut Text) -> Raw<&'a [u8]> {
        let file = open(folder.as_raw_fd(), path, libc::O_RDONLY, libc::RESOLVE_NO_XDEV)?;
        text.read(&file)
    }
}

/// Returns the words of a line of `status`.
fn status_words<'a>(status: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn number(digits: &[u8]) -> Option<i32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Writes `<thread>/<file>` to `path`.
fn path_of<'a>(thread: i32, file: &CStr, path: &'a mut [u8; NUMBER + 8]) -> &'a CStr {
    let mut digits = [0u8; NUMBER];
    let (mut rest, mut count) = (thread.unsigned_abs(), 0);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        (rest, count) = (rest / 10, count + 1);
        if rest == 0 {
            break;
        }
    }
    let number = digits.iter().skip(NUMBER - count);
    let bytes = number.chain(b"/").chain(file.to_bytes_with_nul());
    path.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    CStr::from_bytes_until_nul(path).unwrap_or(c"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::identity::{group_count, LINES};

    #[test]
    fn a_thread_finds_itself_and_what_it_may_do() {
        let (procfs, mut memory) = (Procfs::open().unwrap(), Memory::new(group_count()));
        let own = procfs.own_number().unwrap();
        procfs.read_identity(own, &mut memory.text, &mut memory.identity).unwrap();
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let lines = status.lines().filter(|line| LINES.iter().any(|name| line.starts_with(&format!("{name}:"))));
        let wanted: Vec<_> = lines.flat_map(|line| [line, "\n"]).collect();
        assert_eq!(memory.identity.lines(), wanted.concat().as_bytes());
        assert_eq!(procfs.tid(own, &mut memory.text), Ok(nix::unistd::gettid().as_raw()));
        assert!(procfs.thread_count(own, &mut memory.text).unwrap() >= 1);
    }

    #[test]
    fn a_name_with_parentheses_hides_no_state() {
        let (procfs, mut memory) = (Procfs::open().unwrap(), Memory::new(group_count()));
        let look = move || {
            nix::sys::prctl::set_name(c"a) Z (b").unwrap();
            let own = procfs.own_number().unwrap();
            (procfs.stat(own, &mut memory.text), procfs.blocks(own, libc::SIGUSR2, &mut memory.text))
        };
        let (stat, blocks) = std::thread::spawn(look).join().unwrap();
        let Stat { name, state, .. } = stat.unwrap().unwrap();
        assert!(name.starts_with(b"a) Z (b\0"));
        assert_eq!((state, stat.unwrap().unwrap().is_kernel_worker(), blocks), (b'R', false, false));
    }

    #[test]
    fn a_thread_that_is_not_there_has_no_state() {
        let (procfs, mut memory) = (Procfs::open().unwrap(), Memory::new(group_count()));
        assert_eq!(procfs.stat(i32::MAX, &mut memory.text), Ok(None));
        let error = procfs.read_identity(i32::MAX, &mut memory.text, &mut memory.identity).unwrap_err();
        assert_eq!((error.call, error.errno), ("openat2", libc::ENOENT));
    }
}
