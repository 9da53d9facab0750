//! Nice values.

use crate::call::Call;

/// `setpriority(which, who, nice)`.
pub fn setpriority(which: u32, who: i32, nice: i32) -> Call<()> {
    Call::new("setpriority", libc::SYS_setpriority).number(which).number(who).number(nice)
}

/// `getpriority(which, who)` as a nice value: the raw call answers 20 minus that.
pub fn getpriority(which: u32, who: i32) -> Call<i32> {
    Call::new("getpriority", libc::SYS_getpriority).number(which).number(who).value(|answer| 20 - answer.result as i32)
}
