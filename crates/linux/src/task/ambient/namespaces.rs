//! The namespaces of the calling thread, and those that its children would get.

use super::capabilities::{Capabilities, CAP_SYS_ADMIN};
use super::proc::{made_once, open};
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
const NAMES: [&str; 6] = ["cgroup", "ipc", "net", "pid_for_children", "time_for_children", "uts"];

pub(super) type Namespaces = [Link; NAMES.len()];

/// Returns the links that name the namespaces.
///
/// unshare(2) and setns(2) need CAP_SYS_ADMIN for each of these types. A thread without the capability reads the links
/// once. Another thread keeps the links open, because opening them would cost more than reading them.
pub(super) fn namespaces(capabilities: &Capabilities) -> Result<Namespaces> {
    thread_local! {
        static FINAL: OnceCell<Namespaces> = const { OnceCell::new() };
        static OPEN: OnceCell<[Option<File>; NAMES.len()]> = const { OnceCell::new() };
    }
    if capabilities.has_lost(CAP_SYS_ADMIN) {
        FINAL.with(|kept| made_once(kept, || Ok(read_all(&open_all()?))).copied())
    } else {
        OPEN.with(|kept| Ok(read_all(made_once(kept, open_all)?)))
    }
}

/// Returns the link that names the mount namespace.
pub(crate) fn mount_namespace() -> Result<Link> {
    Ok(target(&open_link("mnt")?))
}

fn open_all() -> Result<[Option<File>; NAMES.len()]> {
    let mut links = NAMES.map(|_| None);
    for (link, name) in links.iter_mut().zip(NAMES) {
        *link = open_link(name)?;
    }
    Ok(links)
}

/// Opens a link itself. A read by its descriptor saves the way through three folders.
fn open_link(name: &str) -> Result<Option<File>> {
    open(&format!("/proc/thread-self/ns/{name}"), libc::O_PATH | libc::O_NOFOLLOW)
}

fn read_all(links: &[Option<File>; NAMES.len()]) -> Namespaces {
    links.each_ref().map(target)
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
