//! Domains of landlock(7) for every thread of this process. The kernel itself gives them to all threads, or to none.

use crate::calls::landlock;
use crate::error::Result;
use crate::task::zygote;

/// Restricts every thread of this process, or none.
pub fn restrict(ruleset: i32, flags: u32) -> Result<()> {
    // A zygote is another process, whose tasks would not be in the domain.
    let _no_zygote = zygote::end_all()?;
    landlock::restrict_every_thread(ruleset, flags).near()
}
