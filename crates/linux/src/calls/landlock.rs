//! Landlock(7): rulesets, their rules, and restricting the caller to them.

use crate::call::{words, Call};
use crate::flags::LandlockRestrictFlags;

// libc has no names for these on every platform. The numbers are the same on both architectures.
const LANDLOCK_CREATE_RULESET: i64 = 444;
const LANDLOCK_ADD_RULE: i64 = 445;
const LANDLOCK_RESTRICT_SELF: i64 = 446;

const LANDLOCK_RULE_PATH_BENEATH: u32 = 1;
const LANDLOCK_RULE_NET_PORT: u32 = 2;

/// `landlock_create_ruleset(&attr, 24, 0)`: a ruleset that refuses these rights where no rule allows them. Close-on-exec. A kernel
/// that knows only a part of the struct takes the rest if it is 0. Linux 5.13.
pub fn create_ruleset(fs: u64, net: u64, scoped: u64) -> Call<i32> {
    let attr: [u8; 24] = words(&[(0, fs), (8, net), (16, scoped)]);
    let call = Call::new("landlock_create_ruleset", LANDLOCK_CREATE_RULESET).input(&attr);
    call.number(attr.len() as u64).number(0).descriptor()
}

/// `landlock_create_ruleset(NULL, 0, flags)`: the version of the ABI, or with another flag the errata that this kernel has fixed.
pub fn version(flags: u32) -> Call<i32> {
    let call = Call::new("landlock_create_ruleset", LANDLOCK_CREATE_RULESET).number(0).number(0).number(flags);
    call.value(|answer| answer.result as i32)
}

/// `landlock_add_rule(ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0)`: allows rights on a file, or on a directory and all that is below.
pub fn add_path_rule(ruleset: i32, file: i32, allowed: u64) -> Call<()> {
    let mut attr = [0; 12]; // the C struct is packed
    attr[..8].copy_from_slice(&allowed.to_ne_bytes());
    add_rule(ruleset, LANDLOCK_RULE_PATH_BENEATH).input(&attr).holding_fd(8, 4, file).number(0)
}

/// `landlock_add_rule(ruleset, LANDLOCK_RULE_NET_PORT, &attr, 0)`: allows rights on a port. Linux 6.7.
pub fn add_port_rule(ruleset: i32, port: u64, allowed: u64) -> Call<()> {
    let attr: [u8; 16] = words(&[(0, allowed), (8, port)]);
    add_rule(ruleset, LANDLOCK_RULE_NET_PORT).input(&attr).number(0)
}

fn add_rule(ruleset: i32, kind: u32) -> Call<()> {
    Call::new("landlock_add_rule", LANDLOCK_ADD_RULE).fd(ruleset).number(kind)
}

/// `landlock_restrict_self(ruleset, flags)`: of the calling thread and of all that it starts later. Cannot be undone. A ruleset of -1
/// restricts nothing, and is for the flags alone.
pub fn restrict_self(ruleset: i32, flags: u32) -> Call<()> {
    restrict(ruleset, flags).one_thread()
}

/// [`restrict_self`] of a thread of this process alone, whose caller knows that the other threads stay as they are.
pub(crate) fn restrict_this_thread(ruleset: i32, flags: u32) -> Call<()> {
    restrict(ruleset, flags)
}

/// [`restrict_self`] of every thread of this process, which all get the domain and the attribute no_new_privs of the calling thread.
/// Linux 7.0.
pub(crate) fn restrict_every_thread(ruleset: i32, flags: u32) -> Call<()> {
    restrict(ruleset, flags | LandlockRestrictFlags::TSYNC.bits())
}

fn restrict(ruleset: i32, flags: u32) -> Call<()> {
    Call::new("landlock_restrict_self", LANDLOCK_RESTRICT_SELF).fd(ruleset).number(flags)
}
