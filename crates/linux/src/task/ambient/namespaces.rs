//! The namespaces of the calling thread, and those that its children would get.

use super::capabilities::{Capabilities, CAP_SYS_ADMIN};
use super::proc::{made_once, open, open_each};
use crate::error::Result;
use std::cell::OnceCell;
use std::fs::File;
use std::os::fd::AsRawFd;

/// The text of a link that names a namespace. All zero: the link cannot be read.
pub(crate) type Link = [u8; 32];

/// The links of the namespaces that a thread can change for its children.
///
/// The mount namespace is left out: kcmp(2) says whether that one is the zygote's. The pid and the time namespace of the
/// thread itself never change, and neither does the user namespace of a process with several threads.
const LINKS: &[&str] = &[
    "/proc/thread-self/ns/cgroup",
    "/proc/thread-self/ns/ipc",
    "/proc/thread-self/ns/net",
    "/proc/thread-self/ns/pid_for_children",
    "/proc/thread-self/ns/time_for_children",
    "/proc/thread-self/ns/uts",
];

/// Opens a link itself. A read by its descriptor saves the way through three folders.
const THE_LINK: i32 = libc::O_PATH | libc::O_NOFOLLOW;

/// Returns the links that name the namespaces.
///
/// unshare(2) and setns(2) need CAP_SYS_ADMIN for each of these types. A thread without the capability reads the links
/// once. Another thread keeps the links open, because opening them would cost more than reading them.
pub(super) fn namespaces(capabilities: &Capabilities) -> Result<Vec<Link>> {
    thread_local! {
        static FINAL: OnceCell<Vec<Link>> = const { OnceCell::new() };
        static OPEN: OnceCell<Vec<Option<File>>> = const { OnceCell::new() };
    }
    let open = || open_each(LINKS, THE_LINK);
    if capabilities.has_lost(CAP_SYS_ADMIN) {
        FINAL.with(|kept| made_once(kept, || Ok(read_each(&open()?))).cloned())
    } else {
        OPEN.with(|kept| Ok(read_each(made_once(kept, open)?)))
    }
}

/// Returns the link that names the mount namespace.
pub(crate) fn mount_namespace() -> Result<Link> {
    Ok(target(&open("/proc/thread-self/ns/mnt", THE_LINK)?))
}

fn read_each(links: &[Option<File>]) -> Vec<Link> {
    links.iter().map(target).collect()
}

/// Reads the text of a link that was opened itself.
fn target(link: &Option<File>) -> Link {
    let mut text = [0u8; 32];
    if let Some(link) = link {
        // SAFETY: the kernel reads the empty path, which is static and ends with a NUL. The kernel writes at most
        // `text.len()` bytes of `text`, a local variable that outlives the call. `link` is open as long as it is borrowed.
        unsafe { libc::readlinkat(link.as_raw_fd(), c"".as_ptr(), text.as_mut_ptr().cast(), text.len()) };
    }
    text
}
