//! The inherited state that system calls return.

use crate::calls::prctl::PR_GET_SPECULATION_CTRL;
use nix::errno::Errno;

// Constants that the libc crate does not have.
const IOPRIO_WHO_PROCESS: i64 = 1;
const PR_SPEC_STORE_BYPASS: i64 = 0;
const PR_SPEC_INDIRECT_BRANCH: i64 = 1;
const KEYCTL_GET_KEYRING_ID: i64 = 0;
const KEY_SPEC_SESSION_KEYRING: i64 = -3;

/// How many resource limits there are.
pub(super) const LIMITS: u32 = 16;

/// How many values [`numbers`] has.
pub(super) const NUMBERS: usize = 13;
/// The place of the seccomp mode in [`numbers`].
pub(super) const SECCOMP: usize = 0;
pub(super) const SECCOMP_MODE_FILTER: i64 = libc::SECCOMP_MODE_FILTER as i64;

/// Asks for everything that is a single number; -1 where the kernel does not know the question.
pub(super) fn numbers() -> [i64; NUMBERS] {
    let call = |nr, a: i64, b: i64| {
        // SAFETY: each of the calls below takes numbers alone, and touches no memory of this process.
        unsafe { libc::syscall(nr, a, b, 0, 0, 0) }
    };
    let prctl = |option: i32, of: i64| call(libc::SYS_prctl, option.into(), of);
    [
        prctl(libc::PR_GET_SECCOMP, 0),
        prctl(libc::PR_GET_SECUREBITS, 0),
        prctl(libc::PR_GET_NO_NEW_PRIVS, 0),
        prctl(libc::PR_GET_TIMERSLACK, 0),
        prctl(libc::PR_GET_THP_DISABLE, 0),
        prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS),
        prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH),
        call(libc::SYS_getpriority, libc::PRIO_PROCESS as i64, 0),
        call(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0),
        call(libc::SYS_getpgid, 0, 0),
        call(libc::SYS_getsid, 0, 0),
        call(libc::SYS_personality, 0xffff_ffff, 0),
        call(libc::SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING),
    ]
}

pub(super) fn ids() -> [u32; 6] {
    let (uids, gids) = (nix::unistd::getresuid(), nix::unistd::getresgid());
    let (uids, gids) = (uids.expect("getresuid cannot fail"), gids.expect("getresgid cannot fail"));
    let [uid, euid, suid] = [uids.real, uids.effective, uids.saved].map(|uid| uid.as_raw());
    let [gid, egid, sgid] = [gids.real, gids.effective, gids.saved].map(|gid| gid.as_raw());
    [uid, euid, suid, gid, egid, sgid]
}

pub(super) fn groups() -> Vec<u32> {
    let mut groups = [0; 64];
    // SAFETY: the kernel writes at most `groups.len()` ids into `groups`, a local variable that outlives the call.
    match unsafe { libc::getgroups(groups.len() as i32, groups.as_mut_ptr()) } {
        count @ 0.. => groups[..count as usize].to_vec(),
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

pub(super) fn limit(resource: u32) -> (u64, u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes a `struct rlimit64` into `limit`, which has that layout and outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, 0, &raw mut limit) };
    debug_assert_eq!(Errno::result(result), Ok(0));
    (limit.rlim_cur, limit.rlim_max)
}

/// Returns the CPU mask. On a machine of more than 1024 CPUs the kernel refuses, and each mask is equal to every other.
pub(super) fn affinity() -> [u8; 128] {
    let mut mask = [0; 128];
    // SAFETY: the kernel writes at most `mask.len()` bytes into `mask`, a local variable that outlives the call.
    unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, mask.len(), mask.as_mut_ptr()) };
    mask
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
