//! prctl(2) by the number of its option.

use crate::call::{Arg, Call};

/// Options that read, in the order of their numbers; some into memory.
const READS: &[i32] = &[
    libc::PR_GET_PDEATHSIG,
    libc::PR_GET_DUMPABLE,
    libc::PR_GET_UNALIGN,
    libc::PR_GET_KEEPCAPS,
    libc::PR_GET_FPEMU,
    libc::PR_GET_FPEXC,
    libc::PR_GET_TIMING,
    libc::PR_GET_NAME,
    libc::PR_GET_ENDIAN,
    libc::PR_GET_SECCOMP,
    libc::PR_CAPBSET_READ,
    libc::PR_GET_TSC,
    libc::PR_GET_SECUREBITS,
    libc::PR_GET_TIMERSLACK,
    libc::PR_MCE_KILL_GET,
    libc::PR_GET_CHILD_SUBREAPER,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_GET_TID_ADDRESS,
    libc::PR_GET_THP_DISABLE,
    libc::PR_GET_FP_MODE,
    PR_SVE_GET_VL,
    PR_GET_SPECULATION_CTRL,
    PR_GET_TAGGED_ADDR_CTRL,
    PR_GET_IO_FLUSHER,
    PR_SME_GET_VL,
    libc::PR_GET_MDWE,
    PR_GET_MEMORY_MERGE,
    PR_GET_AUXV,
];

/// Options that change the whole process: memory, or an attribute that all threads have in common.
const PROCESS_WIDE: &[i32] = &[
    libc::PR_SET_DUMPABLE,
    libc::PR_SET_TIMING,
    libc::PR_SET_MM,
    libc::PR_SET_CHILD_SUBREAPER,
    libc::PR_SET_THP_DISABLE,
    libc::PR_SET_MDWE,
    PR_SET_MEMORY_MERGE,
    libc::PR_SET_VMA,
    libc::PR_SET_PTRACER,
];

// Constants of linux/prctl.h that the libc crate does not have on every platform.
pub(crate) const PR_SVE_GET_VL: i32 = 51;
pub(crate) const PR_GET_SPECULATION_CTRL: i32 = 52;
const PR_GET_TAGGED_ADDR_CTRL: i32 = 56;
pub(crate) const PR_GET_IO_FLUSHER: i32 = 58;
pub(crate) const PR_SME_GET_VL: i32 = 64;
const PR_SET_MEMORY_MERGE: i32 = 67;
pub(crate) const PR_GET_MEMORY_MERGE: i32 = 68;
const PR_GET_AUXV: i32 = 0x4155_5856;

/// `prctl(option, …)`, without its further arguments. Near, an option is refused unless
/// it is known to read, or to change the whole process: an option of a newer kernel may be for one thread.
pub fn prctl(option: i32) -> Call<()> {
    let call = Call::new("prctl", libc::SYS_prctl).named_number(option);
    if READS.contains(&option) || PROCESS_WIDE.contains(&option) {
        call
    } else {
        call.one_thread()
    }
}

/// `prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)`: of the calling thread and of all that it starts later. Cannot be undone.
pub fn set_no_new_privs() -> Call<()> {
    set_no_new_privs_of_this_thread().one_thread()
}

/// [`set_no_new_privs`] of a thread of this process alone, whose caller knows that the other threads stay as they are.
pub fn set_no_new_privs_of_this_thread() -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).named_number(libc::PR_SET_NO_NEW_PRIVS).number(1)
}

/// `prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)`.
pub fn get_no_new_privs() -> Call<bool> {
    Call::new("prctl", libc::SYS_prctl).named_number(libc::PR_GET_NO_NEW_PRIVS).value(|answer| answer.result == 1)
}

/// `prctl(PR_SET_PDEATHSIG, signal)`; 0: none.
pub fn set_death_signal(signal: i32) -> Call<()> {
    restore_death_signal(Arg::Number(signal as u64))
}

/// [`set_death_signal`] with the result of an earlier step.
pub(crate) fn restore_death_signal(signal: Arg) -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).named_number(libc::PR_SET_PDEATHSIG).arg(signal).one_thread()
}

/// `prctl(PR_GET_PDEATHSIG, &signal)`; 0: none.
pub fn get_death_signal() -> Call<i32> {
    Call::new("prctl", libc::SYS_prctl)
        .named_number(libc::PR_GET_PDEATHSIG)
        .output(4)
        .value(|answer| answer.u32(0) as i32)
}

/// `prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0)`: 1 where permitted capabilities survive leaving user 0.
pub(crate) fn get_keep_caps() -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).named_number(libc::PR_GET_KEEPCAPS)
}

/// `prctl(PR_SET_KEEPCAPS, flag, 0, 0, 0)`.
pub(crate) fn set_keep_caps(flag: Arg) -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).named_number(libc::PR_SET_KEEPCAPS).arg(flag).one_thread()
}

/// `prctl(PR_SET_CHILD_SUBREAPER, 1)`: the orphans among the descendants of the process become its children. Linux 3.4.
pub fn set_child_subreaper() -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).named_number(libc::PR_SET_CHILD_SUBREAPER).number(1)
}

/// `prctl(PR_SET_DUMPABLE, dumpable)`: with `true` the process's files in `/proc` belong to its user, and a process of the same user may trace it.
pub fn set_dumpable(dumpable: bool) -> Call<()> {
    restore_dumpable(Arg::Number(u64::from(dumpable)))
}

/// The same with what an earlier step has found.
pub(crate) fn restore_dumpable(dumpable: Arg) -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).named_number(libc::PR_SET_DUMPABLE).arg(dumpable).one_thread()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure;

    #[test]
    fn an_option_for_one_thread_is_refused_near() {
        for option in [libc::PR_SET_NAME, libc::PR_SET_SECCOMP, libc::PR_SET_KEEPCAPS, 0x7fff] {
            assert_eq!(prctl(option).near(), Err(Failure::Multithreaded("prctl", Some(option.into()))));
        }
        assert_eq!(prctl(libc::PR_GET_DUMPABLE).near(), Ok(()));
    }
}
