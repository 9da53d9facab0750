//! Restricting a target by landlock(7).

use crate::calls::landlock::{restrict_self, restrict_this_thread};
use crate::error::Result;
use crate::target::{Target, CURRENT};
use crate::threads;

/// Restricts the current target. `this_thread`: of this process, the calling thread alone, which is refused otherwise.
pub fn restrict(ruleset: i32, flags: u32, this_thread: bool) -> Result<()> {
    // The kernel reaches all threads by one call, for which they need not stand still.
    if CURRENT.with_borrow(|target| matches!(target, Target::EveryThread(_))) {
        return threads::landlock::restrict(ruleset, flags);
    }
    let call = if this_thread { restrict_this_thread } else { restrict_self };
    call(ruleset, flags).run()
}
