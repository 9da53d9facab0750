//! Signals to one thread or with a value, the mask, and dispositions.

use crate::call::Call;

/// The kernel's `sigset_t`: one bit for each of 64 signals.
const SET: usize = 8;
/// `struct sigaction` as the kernel has it on both architectures: handler, flags, restorer, mask.
const ACTION: usize = 32;

/// `tgkill(tgid, tid, sig)`.
pub fn tgkill(tgid: i32, tid: i32, signal: i32) -> Call<()> {
    Call::new("tgkill", libc::SYS_tgkill).number(tgid).number(tid).number(signal)
}

/// `rt_sigqueueinfo(tgid, sig, &info)` with `SI_QUEUE`: what sigqueue(3) sends, from `sender` with real user id `uid`.
pub fn rt_sigqueueinfo(pid: i32, signal: i32, value: u64, sender: u32, uid: u32) -> Call<()> {
    // si_signo, si_errno, si_code and padding, then si_pid, si_uid and si_value.
    let words = [signal as u32, 0, libc::SI_QUEUE as u32, 0, sender, uid, value as u32, (value >> 32) as u32];
    let mut info = [0; 128];
    info[..32].copy_from_slice(words.map(u32::to_ne_bytes).as_flattened());
    Call::new("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo).number(pid).number(signal).input(&info)
}

/// `rt_sigprocmask(how, &set, NULL, 8)` of the calling thread.
pub fn sigprocmask(how: i32, set: u64) -> Call<()> {
    Call::new("sigprocmask", libc::SYS_rt_sigprocmask)
        .number(how)
        .input(&set.to_ne_bytes())
        .number(0)
        .number(SET as u64)
        .one_thread()
}

/// `rt_sigprocmask(0, NULL, &set, 8)` of the calling thread.
pub fn get_sigprocmask() -> Call<u64> {
    Call::new("sigprocmask", libc::SYS_rt_sigprocmask)
        .number(0)
        .number(0)
        .output(SET)
        .number(SET as u64)
        .value(|answer| answer.u64(0))
}

/// `rt_sigaction(signal, SIG_IGN or SIG_DFL, NULL, 8)`: of the whole process, whose handlers near are Node's.
pub fn sigaction(signal: i32, ignore: bool) -> Call<()> {
    let handler = if ignore { libc::SIG_IGN } else { libc::SIG_DFL };
    let mut action = [0; ACTION];
    action[..8].copy_from_slice(&handler.to_ne_bytes());
    Call::new("sigaction", libc::SYS_rt_sigaction)
        .number(signal)
        .input(&action)
        .number(0)
        .number(SET as u64)
        .one_thread()
}

/// Returns a [`sigaction`] for each signal that gives it its default action. SIGKILL and SIGSTOP have no other one.
pub fn default_actions() -> impl Iterator<Item = Call<()>> {
    let signals = (1..=64).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal));
    signals.map(|signal| sigaction(signal, false))
}

/// Replaces the mask of the calling thread: exactly `set` is blocked, where bit 0 is signal 1.
pub fn set_mask(set: u64) -> Call<()> {
    sigprocmask(libc::SIG_SETMASK, set)
}

/// `rt_sigaction(signal, NULL, &action, 8)`: 0 the default action, 1 ignored, 2 a handler.
pub fn get_sigaction(signal: i32) -> Call<u32> {
    Call::new("sigaction", libc::SYS_rt_sigaction)
        .number(signal)
        .number(0)
        .output(ACTION)
        .number(SET as u64)
        .value(|answer| answer.u64(0).min(2) as u32)
}

/// `kill(pid, sig)`.
pub fn kill(pid: i32, signal: i32) -> Call<()> {
    Call::new("kill", libc::SYS_kill).number(pid).number(signal)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure;

    #[test]
    fn node_keeps_its_mask_and_its_handlers() {
        assert_eq!(sigprocmask(libc::SIG_BLOCK, 1).near(), Err(Failure::Multithreaded("sigprocmask", None)));
        assert_eq!(sigaction(libc::SIGUSR1, true).near(), Err(Failure::Multithreaded("sigaction", None)));
        assert_eq!(get_sigprocmask().near().unwrap() & 1, 0);
        assert_eq!(get_sigaction(libc::SIGUSR1).near(), Ok(0));
    }
}
