//! Capabilities: capget(2), capset(2) and the prctl(2) options of the other sets.

use crate::call::{near_capget, Answer, Call};
use crate::error::Result;
use nix::errno::Errno;

const VERSION_3: u32 = 0x2008_0522;
const AT_EXECVE_CHECK: i32 = 0x1_0000;

/// `capget(&header, &data)`: effective, permitted and inheritable of a thread (0: the caller), eight bytes each.
pub fn capget(pid: i32) -> Call<[[u8; 8]; 3]> {
    let header = [VERSION_3.to_ne_bytes(), pid.to_ne_bytes()].concat();
    Call::new("capget", libc::SYS_capget).input(&header).output(24).value(|answer| halves(answer).map(u64::to_ne_bytes))
}

/// capget(2) in the calling thread, faster than [`capget`].
pub(crate) fn capget_near(pid: i32) -> Result<[u64; 3]> {
    let [a, b, c, high_a, high_b, high_c] = near_capget([VERSION_3, pid as u32])?.map(u64::from);
    Ok([a | high_a << 32, b | high_b << 32, c | high_c << 32])
}

/// Reads the output of capget(2): two structs of effective, permitted, inheritable, with the low halves and the high ones.
pub(crate) fn halves(answer: &Answer) -> [u64; 3] {
    [0, 4, 8].map(|at| answer.u32(at) as u64 | (answer.u32(at + 12) as u64) << 32)
}

/// `capset(&header, &data)`: makes `sets` the effective, permitted and inheritable set of a thread. `pid` is 0 for the calling thread:
/// the kernel refuses every other number but that of the calling thread.
pub fn capset(pid: i32, sets: [u64; 3]) -> Call<()> {
    let header = [VERSION_3.to_ne_bytes(), pid.to_ne_bytes()].concat();
    let half = |shift| sets.map(|set| ((set >> shift) as u32).to_ne_bytes());
    let data = [half(0), half(32)].concat().concat();
    Call::new("capset", libc::SYS_capset).input(&header).input(&data).one_thread()
}

/// `prctl(PR_CAPBSET_DROP, capability)`: out of the bounding set of the calling thread.
pub fn drop_bounding(capability: u32) -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).named_number(libc::PR_CAPBSET_DROP).number(capability).one_thread()
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
    ambient(libc::PR_CAP_AMBIENT_CLEAR_ALL).one_thread()
}

/// `prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0)`.
pub fn is_ambient(capability: u32) -> Call<bool> {
    ambient(libc::PR_CAP_AMBIENT_IS_SET).number(capability).value(|answer| answer.result == 1)
}

/// `prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)`: the capability has to be permitted and inheritable.
pub fn raise_ambient(capability: u32) -> Call<()> {
    ambient(libc::PR_CAP_AMBIENT_RAISE).number(capability).one_thread()
}

/// `prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, capability, 0, 0)`.
pub fn lower_ambient(capability: u32) -> Call<()> {
    ambient(libc::PR_CAP_AMBIENT_LOWER).number(capability).one_thread()
}

fn ambient(operation: i32) -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).named_number(libc::PR_CAP_AMBIENT).number(operation)
}

/// Returns whether the kernel has `SECBIT_EXEC_RESTRICT_FILE` and `SECBIT_EXEC_DENY_INTERACTIVE`. The same version, Linux 6.14, has
/// brought a flag of execveat(2), which older kernels refuse before they look at the descriptor. There is no descriptor -1.
pub fn has_exec_securebits() -> bool {
    let probe = Call::new("execveat", libc::SYS_execveat).number(-1).string(b"").number(0).number(0);
    let answer = probe.number(libc::AT_EMPTY_PATH | AT_EXECVE_CHECK).near();
    answer.is_err_and(|failure| failure.has_errno(Errno::EBADF))
}
