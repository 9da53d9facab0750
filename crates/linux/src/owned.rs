//! The descriptors that a thread owns, for a thread whose end closes them: a Worker of Node.

use std::cell::RefCell;
use std::os::fd::{FromRawFd, OwnedFd};

thread_local! {
    /// The numbers of the descriptors. `None`: the end of the thread closes nothing.
    static OWNED: RefCell<Option<Vec<i32>>> = const { RefCell::new(None) };
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

/// Closes the descriptors that the calling thread owns, and stops recording.
pub fn close_all() {
    for fd in OWNED.take().into_iter().flatten() {
        // SAFETY: the thread has made this descriptor and has neither closed it nor given it away, so no other code closes
        // the number.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
}
