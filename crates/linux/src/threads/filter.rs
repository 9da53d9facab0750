//! A filter of seccomp(2) for every thread of this process. The kernel itself gives it to all of them, or to none.

use crate::calls::seccomp;
use crate::error::{Failure, Result, ThreadInTheWay, Unchanged};
use crate::task::zygote;

/// Installs a filter in every thread of this process, or in none.
pub fn install(program: &[u8]) -> Result<()> {
    // A zygote is another process, whose tasks would not have the filter.
    let _no_zygote = zygote::end_all()?;
    match seccomp::set_filter_of_every_thread(program).near()? {
        0 => Ok(()),
        tid => Err(differs(tid)),
    }
}

fn differs(tid: i32) -> Failure {
    let name = std::fs::read_to_string(format!("/proc/self/task/{tid}/comm")).unwrap_or_default().trim_end().to_owned();
    let words = format!("thread {tid} ({name}) has a filter of seccomp(2) that this one does not have");
    let thread = Some(ThreadInTheWay { tid, name, state: String::new() });
    Failure::Unchanged(Box::new(Unchanged { code: "THREADS_DIFFER", words, thread }))
}
