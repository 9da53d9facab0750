//! The descriptors that a thread owns, for a thread whose end closes them: a Worker of Node.

use nix::sys::stat::fstat;
use std::cell::RefCell;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

thread_local! {
    /// The numbers of the descriptors. `None`: the end of the thread closes nothing.
    static OWNED: RefCell<Option<Vec<i32>>> = const { RefCell::new(None) };
    /// The numbers that other code is about to take over, each with its file.
    static HANDED: RefCell<Vec<(i32, File)>> = const { RefCell::new(Vec::new()) };
}

/// What tells an open file from others: its device and its inode.
type File = (u64, u64);

fn file_of(fd: i32) -> Option<File> {
    // SAFETY: the number is used for this one call, which fails if no file has it.
    fstat(unsafe { BorrowedFd::borrow_raw(fd) }).ok().map(|status| (status.st_dev, status.st_ino))
}

/// Records from now on which descriptors the calling thread makes and closes, until [`close_all`].
pub fn track() {
    OWNED.set(Some(Vec::new()));
}

/// Records a descriptor that the calling thread has made.
pub fn add(fd: i32) {
    OWNED.with_borrow_mut(|owned| owned.iter_mut().for_each(|owned| owned.push(fd)));
}

/// Forgets the numbers from `first` to `last`: a call closes them, or the descriptors belong to other code from now on.
pub fn forget(first: i32, last: i32) {
    OWNED.with_borrow_mut(|owned| owned.iter_mut().for_each(|owned| owned.retain(|fd| *fd < first || *fd > last)));
}

/// Called before other code takes a descriptor over. The end of a Worker can interrupt its JavaScript at any moment, also before
/// the other code, a stream of Node, has the descriptor.
pub fn begin_handover(fd: i32) {
    if let (true, Some(file)) = (OWNED.with_borrow(|owned| owned.is_some()), file_of(fd)) {
        HANDED.with_borrow_mut(|handed| handed.push((fd, file)));
    }
    forget(fd, fd);
}

/// Called when other code has taken the descriptor over, and closes it.
pub fn end_handover(fd: i32) {
    HANDED.with_borrow_mut(|handed| handed.retain(|(number, _)| *number != fd));
}

/// Closes the descriptors that the calling thread owns, and stops recording. Node has closed the streams of the thread before. So
/// a number that was handed over is closed only if it is still that of the same file: no stream has had it then.
pub fn close_all() {
    let handed = HANDED.take().into_iter().filter(|(fd, file)| file_of(*fd) == Some(*file)).map(|(fd, _)| fd);
    for fd in OWNED.take().into_iter().flatten().chain(handed) {
        // SAFETY: the thread has made this descriptor and has neither closed it nor given it away, so no other code closes
        // the number.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
}
