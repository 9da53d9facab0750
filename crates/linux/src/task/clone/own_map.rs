//! The id maps that a task in a new user namespace writes itself: one id each, for which no privilege outside is
//! needed.

use super::OwnMap;
use crate::calls::descriptor;
use crate::sequence::list::Sequence;

/// Adds the calls that map one user and one group id. `uid` and `gid` are those of the cloner, outside of the
/// namespace.
pub(super) fn write_own_map(sequence: &mut Sequence, map: OwnMap, uid: u32, gid: u32) {
    let line = |id| match map {
        OwnMap::Identity => format!("{id} {id} 1"),
        OwnMap::Root => format!("0 {id} 1"),
    };
    // Without CAP_SETGID outside, the kernel takes a gid_map only where setgroups(2) was denied before.
    for (file, text) in [("setgroups", "deny".into()), ("gid_map", line(gid)), ("uid_map", line(uid))] {
        let path = format!("/proc/self/{file}");
        let open = descriptor::openat(libc::AT_FDCWD, path.as_bytes(), libc::O_WRONLY | libc::O_CLOEXEC, 0);
        let fd = sequence.push(open).expect("a descriptor can be collected");
        sequence.step(descriptor::write(fd, text.as_bytes(), None));
        sequence.step(descriptor::close(fd));
    }
}
