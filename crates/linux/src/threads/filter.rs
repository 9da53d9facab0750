//! A filter of seccomp(2) for every thread of this process. The kernel itself gives it to all of them, or to none.

use super::files::Error;
use super::identity::group_count;
use super::obstacle::{Obstacle, Thread};
use super::procfs::{Memory, Procfs, Stat};
use crate::calls::seccomp;
use crate::error::Result;
use crate::task::zygote;

/// Installs a filter in every thread of this process, or in none.
pub fn install(program: &[u8]) -> Result<()> {
    // A zygote is another process, whose tasks would not have the filter.
    let _no_zygote = zygote::end_all()?;
    match seccomp::set_filter_of_every_thread(program).near()? {
        0 => Ok(()),
        tid => Err(Obstacle::Filtered(Thread { tid, stat: stat_of(tid), blocks_signal: false }).into()),
    }
}

/// Returns what `/proc` says about a thread, whose number there may be another one. `None`: `/proc` does not show the thread.
fn stat_of(tid: i32) -> Option<Stat> {
    let procfs = Procfs::open().ok()?;
    let Memory { mut names, mut text, .. } = Memory::new(group_count());
    let mut found = None;
    let look = procfs.each_thread(&mut names, |number| {
        if procfs.tid(number, &mut text).is_ok_and(|shown| shown == tid) {
            found = Some(number);
        }
        Ok::<_, Error>(())
    });
    look.ok()?;
    procfs.stat(found?, &mut text).ok()?
}
