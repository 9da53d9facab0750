//! The threads of this process as `/proc` shows them. Nothing here allocates after a value was made: the other threads may
//! stand still, and one of them may hold the lock of the allocator.

use super::raw;
use crate::error::{refused, Failure, Refusal, Result};
use crate::wait::proc_directory::stat_field;
use nix::errno::Errno;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Room for every file of a thread that has no groups.
const ROOM: usize = 32 << 10;
/// The most bytes that a group takes in `status`.
const GROUP: usize = 11;
/// The lines of `status` that say what a thread may do. A thread with more filters of seccomp(2) than the others may be refused, or
/// killed, after others have changed.
const IDENTITY: [&[u8]; 6] = [b"Uid:", b"Gid:", b"Groups:", b"Cap", b"NoNewPrivs:", b"Seccomp"];
/// The names of these lines.
const LINES: [&str; 11] = [
    "Uid",
    "Gid",
    "Groups",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Seccomp_filters",
];
/// The flag of a thread of the kernel that works for io_uring(7).
const PF_IO_WORKER: u32 = 0x10;
/// The flag of a thread of the kernel that works for this process.
const PF_USER_WORKER: u32 = 0x4000;
/// The most rings of libuv: one for each event loop, and two more.
const MOST_RINGS: usize = 8192;
/// The most digits of a thread id, with a NUL.
const NUMBER: usize = 12;

/// An error number of the kernel, and the call that returned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Error {
    pub call: &'static str,
    pub errno: i32,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        refused(error.call, Errno::from_raw(error.errno))
    }
}

/// The result of a function that may run while the other threads stand still.
pub(super) type Raw<T> = std::result::Result<T, Error>;

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
        Memory { names: Text::new(0), text: Text::new(groups), identity: Identity::new(groups), rings }
    }
}

/// Returns how many groups the calling thread has.
pub(super) fn group_count() -> usize {
    usize::try_from(raw::numbers(libc::SYS_getgroups, [0; 4])).unwrap_or(0)
}

/// Memory for one file.
#[derive(Debug)]
pub(super) struct Text {
    bytes: Box<[u8]>,
}

/// What a thread may do: the lines of its `status` that say so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    bytes: Box<[u8]>,
    length: usize,
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
        identity.length = 0;
        for line in status.split_inclusive(|byte| *byte == b'\n') {
            if IDENTITY.iter().any(|name| line.starts_with(name)) {
                identity.add(line)?;
            }
        }
        Ok(())
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

impl Text {
    pub(super) fn new(groups: usize) -> Self {
        Text { bytes: vec![0; ROOM + GROUP * groups].into_boxed_slice() }
    }

    /// Reads a whole file.
    fn read(&mut self, file: &OwnedFd) -> Raw<&[u8]> {
        let mut length = 0;
        loop {
            let room = self.bytes.get_mut(length..).unwrap_or_default();
            if room.is_empty() {
                return Err(Error { call: "read", errno: libc::EFBIG });
            }
            match read(file, room)? {
                0 => return Ok(self.bytes.get(..length).unwrap_or_default()),
                more => length += more,
            }
        }
    }

    /// Calls `each` with pieces of a file that may be longer than a text. The last `overlap` bytes of each piece come again at the
    /// beginning of the next piece.
    pub(super) fn each_piece(&mut self, file: &OwnedFd, overlap: usize, mut each: impl FnMut(&[u8])) -> Raw<()> {
        let mut kept = 0;
        loop {
            let more = read(file, self.bytes.get_mut(kept..).unwrap_or_default())?;
            if more == 0 {
                return Ok(());
            }
            let length = kept + more;
            each(self.bytes.get(..length).unwrap_or_default());
            kept = overlap.min(length);
            self.bytes.copy_within(length - kept..length, 0);
        }
    }
}

impl Identity {
    pub(super) fn new(groups: usize) -> Self {
        Identity { bytes: vec![0; ROOM + GROUP * groups].into_boxed_slice(), length: 0 }
    }

    /// True when both say the same.
    pub(super) fn equals(&self, other: &Identity) -> bool {
        self.lines() == other.lines()
    }

    pub(super) fn lines(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Returns the name of the first line that differs.
    pub(super) fn difference(&self, other: &Identity) -> Option<&'static str> {
        if self.equals(other) {
            return None;
        }
        let [own, others] = [self, other].map(|identity| identity.lines().split(|byte| *byte == b'\n'));
        let unequal = own.zip(others).find(|(line, other)| line != other);
        let (line, _) = unequal.unwrap_or_default();
        let has_name = |name: &&&str| line.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b":"));
        LINES.iter().find(has_name).copied().or(Some("another line of status"))
    }

    fn add(&mut self, line: &[u8]) -> Raw<()> {
        let end = self.length + line.len();
        let place = self.bytes.get_mut(self.length..end).ok_or(Error { call: "read", errno: libc::EFBIG })?;
        place.copy_from_slice(line);
        self.length = end;
        Ok(())
    }
}

/// Calls `each` with the name of each entry of an open folder.
pub(super) fn each_name<E: From<Error>>(
    folder: &OwnedFd,
    text: &mut Text,
    mut each: impl FnMut(&[u8]) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    const NAME: usize = 19; // struct linux_dirent64: inode, offset, length of the entry at 16, type, name
    loop {
        let args = [folder.as_raw_fd() as u64, text.bytes.as_mut_ptr() as u64, text.bytes.len() as u64, 0, 0, 0];
        // SAFETY: the kernel writes at most as many bytes as `text` has, which is borrowed.
        let length = checked("getdents64", unsafe { raw::syscall(libc::SYS_getdents64, args) })? as usize;
        if length == 0 {
            return Ok(());
        }
        let mut rest = text.bytes.get(..length).unwrap_or_default();
        while let Some(size) = rest.get(16..18) {
            let size = usize::from(size.iter().rev().fold(0, |size: u16, byte| size << 8 | u16::from(*byte)));
            let entry = rest.get(NAME..size).unwrap_or_default();
            each(entry.split(|byte| *byte == 0).next().unwrap_or_default())?;
            rest = rest.get(size.max(1)..).unwrap_or_default();
        }
    }
}

/// Reads a symbolic link below an open folder, and returns how many bytes of `target` it has.
pub(super) fn read_link(folder: RawFd, path: &CStr, target: &mut [u8]) -> Raw<usize> {
    let args = [folder as u64, path.as_ptr() as u64, target.as_mut_ptr() as u64, target.len() as u64, 0, 0];
    // SAFETY: the kernel reads `path`, which ends with a NUL, and writes at most as many bytes as `target` has. Both are borrowed.
    checked("readlinkat", unsafe { raw::syscall(libc::SYS_readlinkat, args) }).map(|length| length as usize)
}

fn open(folder: RawFd, path: &CStr, flags: i32, resolve: u64) -> Raw<OwnedFd> {
    let how = [(flags | libc::O_CLOEXEC) as u64, 0, resolve];
    let args = [folder as u64, path.as_ptr() as u64, (&raw const how) as u64, size_of_val(&how) as u64, 0, 0];
    // SAFETY: the kernel reads `path`, which ends with a NUL, and the `open_how` in `how`. Both live until the call returns.
    let fd = checked("openat2", unsafe { raw::syscall(libc::SYS_openat2, args) })?;
    // SAFETY: the kernel has just made this descriptor in this process's table, and nothing else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

fn read(file: &OwnedFd, bytes: &mut [u8]) -> Raw<usize> {
    let args = [file.as_raw_fd() as u64, bytes.as_mut_ptr() as u64, bytes.len() as u64, 0, 0, 0];
    // SAFETY: the kernel writes at most as many bytes as `bytes` has, which are borrowed.
    checked("read", unsafe { raw::syscall(libc::SYS_read, args) }).map(|length| length as usize)
}

fn file_system(root: &OwnedFd) -> Raw<u64> {
    let mut statfs = [0u64; 15]; // struct statfs has 120 bytes, and its type comes first
    let args = [root.as_raw_fd() as u64, statfs.as_mut_ptr() as u64, 0, 0, 0, 0];
    // SAFETY: the kernel writes a `struct statfs` to `statfs`, which is as long and lives in this frame.
    checked("fstatfs", unsafe { raw::syscall(libc::SYS_fstatfs, args) })?;
    Ok(statfs[0])
}

pub(super) fn checked(call: &'static str, result: i64) -> Raw<i64> {
    if result < 0 {
        return Err(Error { call, errno: -result as i32 });
    }
    Ok(result)
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
    fn the_first_line_that_differs_is_named() {
        let identity = |lines: &str| {
            let mut identity = Identity::new(0);
            lines.split_inclusive('\n').for_each(|line| identity.add(line.as_bytes()).unwrap());
            identity
        };
        let own = identity("Uid:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n");
        assert_eq!(own.difference(&identity("Uid:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n")), None);
        assert_eq!(own.difference(&identity("Uid:\t1\nSeccomp:\t2\nSeccomp_filters:\t2\n")), Some("Uid"));
        assert_eq!(own.difference(&identity("Uid:\t0\nSeccomp:\t2\nSeccomp_filters:\t2\n")), Some("Seccomp_filters"));
        assert_eq!(own.difference(&identity("Uid:\t0\n")), Some("Seccomp"));
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

    #[test]
    fn pieces_of_a_file_overlap() {
        let file: OwnedFd = std::fs::File::open("/proc/self/maps").unwrap().into();
        let mut text = Text { bytes: vec![0; 64].into_boxed_slice() };
        let mut longest = 0;
        text.each_piece(&file, 16, |piece| longest = longest.max(piece.len())).unwrap();
        assert!(longest > 16 && longest <= 64);
    }
}
