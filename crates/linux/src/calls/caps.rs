//! Capabilities: capget(2), capset(2) and the prctl(2) options of the other sets.

use crate::call::{Answer, Call};

const VERSION_3: u32 = 0x2008_0522;

/// `capget(&header, &data)`: effective, permitted and inheritable of a thread (0: the caller), eight bytes each.
pub fn capget(pid: i32) -> Call<[[u8; 8]; 3]> {
    let header = [VERSION_3.to_ne_bytes(), pid.to_ne_bytes()].concat();
    Call::new("capget", libc::SYS_capget).input(&header).output(24).value(|answer| halves(answer).map(u64::to_ne_bytes))
}

/// Reads the output of capget(2): two structs of effective, permitted, inheritable, with the low halves and the high ones.
pub(crate) fn halves(answer: &Answer) -> [u64; 3] {
    [0, 4, 8].map(|at| answer.u32(at) as u64 | (answer.u32(at + 12) as u64) << 32)
}

/// `capset(&header, &data)` of the calling thread.
pub fn capset(effective: u64, permitted: u64, inheritable: u64) -> Call<()> {
    let header = [VERSION_3.to_ne_bytes(), [0; 4]].concat();
    let half = |shift| [effective, permitted, inheritable].map(|set| ((set >> shift) as u32).to_ne_bytes());
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
    Call::new("prctl", libc::SYS_prctl)
        .named_number(libc::PR_CAP_AMBIENT)
        .number(libc::PR_CAP_AMBIENT_CLEAR_ALL)
        .one_thread()
}
