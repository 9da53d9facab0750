//! The inherited state that system calls return.

use crate::calls::prctl::{PR_GET_IO_FLUSHER, PR_GET_MEMORY_MERGE, PR_GET_SPECULATION_CTRL};
use nix::errno::Errno;

// Constants that the libc crate does not have.
const IOPRIO_WHO_PROCESS: i64 = 1;
const PR_SPEC_STORE_BYPASS: i64 = 0;
const PR_SPEC_INDIRECT_BRANCH: i64 = 1;
const PR_SPEC_L1D_FLUSH: i64 = 2;
const PR_SCHED_CORE: i64 = 62;
const PR_SCHED_CORE_GET: i64 = 0;
const KEYCTL_GET_KEYRING_ID: i64 = 0;
const KEYCTL_SET_REQKEY_KEYRING: i64 = 14;
const KEY_REQKEY_DEFL_NO_CHANGE: i64 = -1;
const KEY_SPEC_SESSION_KEYRING: i64 = -3;

/// How many resource limits there are.
const LIMITS: u32 = 16;

/// The options of prctl(2) that return a number, with their first argument.
const OPTIONS: &[(i32, i64)] = &[
    (libc::PR_GET_SECCOMP, 0),
    (libc::PR_GET_SECUREBITS, 0),
    (libc::PR_GET_NO_NEW_PRIVS, 0),
    (libc::PR_GET_THP_DISABLE, 0),
    (libc::PR_GET_MDWE, 0),
    (PR_GET_MEMORY_MERGE, 0),
    // The kernel tells only a thread with CAP_SYS_RESOURCE, which is also needed for a change.
    (PR_GET_IO_FLUSHER, 0),
    (libc::PR_MCE_KILL_GET, 0),
    (PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS),
    (PR_GET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH),
    (PR_GET_SPECULATION_CTRL, PR_SPEC_L1D_FLUSH),
    // The lengths of vectors. A thread can ask for them to outlive execve(2).
    #[cfg(target_arch = "aarch64")]
    (crate::calls::prctl::PR_SVE_GET_VL, 0),
    #[cfg(target_arch = "aarch64")]
    (crate::calls::prctl::PR_SME_GET_VL, 0),
];

/// Everything that is a single number; -1 where the kernel does not know the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    options: Vec<i64>,
    timer_slack: i64,
    nice: i64,
    io_priority: i64,
    process_group: i64,
    pub session: i64,
    personality: i64,
    session_keyring: i64,
    request_keyring: i64,
    core_cookie: u64,
}

impl Numbers {
    /// Asks for each of them.
    pub(super) fn now() -> Self {
        Numbers {
            options: OPTIONS.iter().map(option).collect(),
            timer_slack: option(&(libc::PR_GET_TIMERSLACK, 0)),
            nice: call(libc::SYS_getpriority, libc::PRIO_PROCESS as i64, 0),
            io_priority: call(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0),
            process_group: call(libc::SYS_getpgid, 0, 0),
            session: call(libc::SYS_getsid, 0, 0),
            personality: call(libc::SYS_personality, 0xffff_ffff, 0),
            session_keyring: call(libc::SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING),
            request_keyring: call(libc::SYS_keyctl, KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_NO_CHANGE),
            core_cookie: core_cookie(),
        }
    }

    /// Returns the numbers with those of `other` that say when and how fast a process runs.
    pub(super) fn scheduled_as(&self, other: &Self) -> Self {
        let Numbers { timer_slack, nice, io_priority, .. } = *other;
        Numbers { timer_slack, nice, io_priority, ..self.clone() }
    }

    /// True when the thread has seccomp filters. The mode of seccomp(2) is the first option.
    pub(super) fn is_filtered(&self) -> bool {
        self.options.first() == Some(&i64::from(libc::SECCOMP_MODE_FILTER))
    }
}

fn option((option, argument): &(i32, i64)) -> i64 {
    call(libc::SYS_prctl, i64::from(*option), *argument)
}

/// Makes a call that takes numbers alone. Returns -1 if the kernel refuses the call.
#[inline(never)]
fn call(nr: i64, first: i64, second: i64) -> i64 {
    // SAFETY: each of the calls of this file that come here takes numbers, and touches no memory of this process.
    unsafe { libc::syscall(nr, first, second, 0, 0, 0) }
}

/// Returns the number by which the kernel shows the cookie of the thread, which decides what may run beside the thread on
/// one core. 0: the thread has none, or the kernel schedules no cores.
fn core_cookie() -> u64 {
    let mut cookie = 0u64;
    // SAFETY: the kernel writes eight bytes into `cookie`, a local variable that outlives the call. The first 0 is the
    // calling thread, and the second the scope of one thread.
    unsafe { libc::syscall(libc::SYS_prctl, PR_SCHED_CORE, PR_SCHED_CORE_GET, 0, 0, &raw mut cookie) };
    cookie
}

/// Returns the real, effective and saved user ids, then the group ids. Only a seccomp filter refuses these calls. The ids
/// then are equal to those of every other moment.
pub(super) fn ids() -> [u32; 6] {
    let mut ids = [u32::MAX; 6];
    let [uid, euid, suid, gid, egid, sgid] = &mut ids;
    // SAFETY: the kernel writes a number into each of three places of `ids`, a local variable that outlives the call.
    unsafe { libc::getresuid(uid, euid, suid) };
    // SAFETY: the same, with the other three places.
    unsafe { libc::getresgid(gid, egid, sgid) };
    ids
}

pub(super) fn groups() -> Vec<u32> {
    let mut groups = [0; 64];
    // SAFETY: the kernel writes at most `groups.len()` ids into `groups`, a local variable that outlives the call.
    match unsafe { libc::getgroups(groups.len() as i32, groups.as_mut_ptr()) } {
        count @ 0.. => groups.into_iter().take(count as usize).collect(),
        // There are more than 64.
        _ => nix::unistd::getgroups().unwrap_or_default().into_iter().map(|gid| gid.as_raw()).collect(),
    }
}

/// Returns `struct sched_attr`: policy, priority, clamps.
pub(super) fn scheduling() -> [u8; 56] {
    let mut attr = [0; 56];
    // SAFETY: the kernel writes at most `attr.len()` bytes into `attr`, a local variable that outlives the call.
    unsafe { libc::syscall(libc::SYS_sched_getattr, 0, attr.as_mut_ptr(), attr.len(), 0) };
    attr
}

pub(super) fn limits() -> Vec<(u64, u64)> {
    (0..LIMITS).map(limit).collect()
}

fn limit(resource: u32) -> (u64, u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes a `struct rlimit64` into `limit`, which has that layout and outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, 0, &raw mut limit) };
    debug_assert_eq!(Errno::result(result), Ok(0));
    (limit.rlim_cur, limit.rlim_max)
}

/// Returns the mask of CPUs, as long as the kernel makes it.
pub(super) fn affinity() -> Vec<u8> {
    // 8192 CPUs. No kernel is built for more.
    let mut mask = [0; 1024];
    // SAFETY: the kernel writes at most `mask.len()` bytes into `mask`, a local variable that outlives the call.
    let length = unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, mask.len(), mask.as_mut_ptr()) };
    mask.into_iter().take(usize::try_from(length).unwrap_or(0)).collect()
}

/// Returns the mode, and a bit for each memory node. On a kernel without policies, or with more than 1024 nodes, the
/// kernel refuses, and each policy is equal to every other.
pub(super) fn memory_policy() -> [u8; 136] {
    let mut policy = [0u8; 136];
    let (mode, nodes) = policy.split_at_mut(8);
    // SAFETY: the kernel writes an `int` into `mode` (8 bytes) and at most 1024 bits into `nodes` (128 bytes). The two
    // slices are parts of `policy`, a local variable that outlives the call.
    unsafe { libc::syscall(libc::SYS_get_mempolicy, mode.as_mut_ptr(), nodes.as_mut_ptr(), 1024, 0, 0) };
    policy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_has_every_cpu() {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed:")).unwrap();
        let in_proc: u32 = allowed.chars().filter_map(|digit| digit.to_digit(16)).map(u32::count_ones).sum();
        assert_eq!(affinity().iter().map(|byte| byte.count_ones()).sum::<u32>(), in_proc);
    }
}
