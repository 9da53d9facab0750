//! Signals, priorities and prctl(2).

use crate::call::{Arg, Call};

/// `kill(pid, sig)`.
pub fn kill(pid: i32, signal: i32) -> Call<()> {
    Call::new("kill", libc::SYS_kill).number(pid).number(signal)
}

/// `setpriority(which, who, nice)`.
pub fn setpriority(which: u32, who: i32, nice: i32) -> Call<()> {
    Call::new("setpriority", libc::SYS_setpriority).number(which).number(who).number(nice)
}

/// `getpriority(which, who)` as a nice value: the raw call answers 20 minus that.
pub fn getpriority(which: u32, who: i32) -> Call<i32> {
    Call::new("getpriority", libc::SYS_getpriority).number(which).number(who).value(|answer| 20 - answer.result as i32)
}

/// `prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)`: for the calling thread and all it will start, never to be undone.
pub fn set_no_new_privs() -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).number(libc::PR_SET_NO_NEW_PRIVS).number(1).one_thread()
}

/// `prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)`.
pub fn get_no_new_privs() -> Call<bool> {
    Call::new("prctl", libc::SYS_prctl).number(libc::PR_GET_NO_NEW_PRIVS).value(|answer| answer.result == 1)
}

/// `prctl(PR_SET_PDEATHSIG, signal)`; 0: none.
pub fn set_death_signal(signal: i32) -> Call<()> {
    restore_death_signal(Arg::Number(signal as u64))
}

/// The same with what an earlier step has found.
pub(crate) fn restore_death_signal(signal: Arg) -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).number(libc::PR_SET_PDEATHSIG).arg(signal).one_thread()
}

/// `prctl(PR_GET_PDEATHSIG, &signal)`; 0: none.
pub fn get_death_signal() -> Call<i32> {
    Call::new("prctl", libc::SYS_prctl).number(libc::PR_GET_PDEATHSIG).output(4).value(|answer| answer.u32(0) as i32)
}

/// `prctl(PR_CAPBSET_DROP, capability)`: out of the bounding set of the calling thread.
pub fn drop_bounding(capability: u32) -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).number(libc::PR_CAPBSET_DROP).number(capability).one_thread()
}

/// `prctl(PR_CAPBSET_READ, capability)`.
pub fn read_bounding(capability: u32) -> Call<bool> {
    Call::new("prctl", libc::SYS_prctl)
        .number(libc::PR_CAPBSET_READ)
        .number(capability)
        .value(|answer| answer.result == 1)
}

/// `prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)`.
pub fn clear_ambient() -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).number(libc::PR_CAP_AMBIENT).number(libc::PR_CAP_AMBIENT_CLEAR_ALL).one_thread()
}

/// `prctl(PR_SET_CHILD_SUBREAPER, 1)`: the orphans among its descendants become its children. Linux 3.4.
pub fn set_child_subreaper() -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).number(libc::PR_SET_CHILD_SUBREAPER).number(1)
}

/// `exit_group(code)`.
pub fn exit_group(code: i32) -> Call<()> {
    Call::new("exit_group", libc::SYS_exit_group).number(code)
}

/// `signalfd4(-1, {signals}, 8, SFD_NONBLOCK | SFD_CLOEXEC)`, where bit 0 is signal 1.
pub fn signalfd(signals: u64) -> Call<i32> {
    let flags = libc::SFD_NONBLOCK | libc::SFD_CLOEXEC;
    Call::new("signalfd4", libc::SYS_signalfd4)
        .number(-1)
        .input(&signals.to_ne_bytes())
        .number(8)
        .number(flags)
        .descriptor()
}

/// `prctl(PR_SET_DUMPABLE, dumpable)`: whether the process's files in `/proc` are its user's, who may trace it.
pub fn set_dumpable(dumpable: bool) -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).number(libc::PR_SET_DUMPABLE).number(u8::from(dumpable)).one_thread()
}
