//! The id maps that a task in a new user namespace writes itself: one id each, for which no privilege outside is
//! needed.

use super::OwnMap;
use crate::call::Arg;
use crate::calls::descriptor;
use crate::calls::prctl;
use crate::error::Result;
use crate::sequence::list::Sequence;
use crate::task::own_proc;

/// Adds the calls that map one user and one group id. `uid` and `gid` are those of the cloner, outside of the
/// namespace.
pub(super) fn write_own_map(sequence: &mut Sequence, map: OwnMap, uid: u32, gid: u32) -> Result<()> {
    let [uid_inside, gid_inside] = match map {
        OwnMap::Identity => [uid, gid],
        OwnMap::Root => [0; 2],
        OwnMap::Inside { uid, gid, .. } => [uid, gid],
    };
    // Without CAP_SETGID outside, the kernel takes a gid_map only where setgroups(2) was denied before.
    let files = [
        ("setgroups", "deny".into()),
        ("gid_map", format!("{gid_inside} {gid} 1")),
        ("uid_map", format!("{uid_inside} {uid} 1")),
    ];
    let folder = own_proc::open_folder(sequence)?;
    // The files in /proc of a task that is not dumpable are root's, and are written by their owner. So the task is
    // dumpable while the files are opened, and only then: no other process is in its user namespace yet.
    let before = sequence.step(prctl::prctl(libc::PR_GET_DUMPABLE));
    sequence.step(prctl::set_dumpable(true));
    let opened = files.map(|(file, text)| {
        let open = own_proc::open_file(folder, format!("self/{file}").as_bytes(), libc::O_WRONLY);
        (sequence.push(open), file, text)
    });
    sequence.step(prctl::set_dumpable(false));
    // A task that shares the memory of its cloner was as dumpable as the cloner. EINVAL: only root could read its core
    // dump (2), a value that prctl(2) does not set. Then the two stay not dumpable.
    sequence.step(prctl::restore_dumpable(Arg::Result(before as u32)).go_on());
    for (fd, file, text) in opened {
        let fd = fd?;
        sequence.step(descriptor::write(fd, text.as_bytes(), None).about(format!("/proc/self/{file}").as_bytes()));
        sequence.step(descriptor::close(fd));
    }
    sequence.step(descriptor::close(folder));
    Ok(())
}
