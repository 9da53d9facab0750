//! The descriptors that a thread owns, for a thread whose end closes them: a Worker of Node.

use nix::sys::stat::fstat;
use std::cell::RefCell;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard};

/// A thread that owns descriptors, for the threads that make calls for it.
#[derive(Clone, Debug)]
pub struct Owner(Arc<Mutex<Numbers>>);

/// The numbers of the descriptors. `None`: the owner has ended.
type Numbers = Option<Vec<i32>>;

thread_local! {
    /// The owner of what the thread makes. `None`: the end of the thread closes nothing.
    static OWNER: RefCell<Option<Owner>> = const { RefCell::new(None) };
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
    act_for(Some(Owner(Arc::new(Mutex::new(Some(Vec::new()))))));
}

/// Returns the owner of the descriptors that the calling thread makes. `None`: the end of the thread closes nothing.
pub fn owner() -> Option<Owner> {
    OWNER.with_borrow(Clone::clone)
}

/// Records from now on for `owner` which descriptors the calling thread makes and closes.
pub fn act_for(owner: Option<Owner>) {
    OWNER.set(owner);
}

/// Records a descriptor that the calling thread has made. If the owner has ended, no other code knows the descriptor, and it is
/// closed.
pub fn add(fd: i32) {
    let Some(owner) = owner() else { return };
    let mut numbers = owner.numbers();
    match &mut *numbers {
        Some(numbers) => numbers.push(fd),
        None => close(fd),
    }
}

/// Forgets the numbers from `first` to `last`: a call closes them, or the descriptors belong to other code from now on.
pub fn forget(first: i32, last: i32) {
    if let Some(owner) = owner() {
        owner.numbers().iter_mut().for_each(|numbers| numbers.retain(|fd| *fd < first || *fd > last));
    }
}

/// Called before other code takes a descriptor over. The end of a Worker can interrupt its JavaScript at any moment, also before
/// the other code, a stream of Node, has the descriptor.
pub fn begin_handover(fd: i32) {
    if let (true, Some(file)) = (owner().is_some(), file_of(fd)) {
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
    let owned = OWNER.take().and_then(|owner| owner.numbers().take());
    owned.into_iter().flatten().chain(handed).for_each(close);
}

impl Owner {
    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

fn close(fd: i32) {
    // SAFETY: the owner has made this descriptor and has neither closed it nor given it away, so no other code closes the number.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
}
