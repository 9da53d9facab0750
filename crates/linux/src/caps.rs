//! Capabilities: capget(2), capset(2) and the prctl(2) options of the other sets.

use crate::call::Call;

const VERSION_3: u32 = 0x2008_0522;

/// `capget(&header, &data)`: effective, permitted and inheritable of a thread (0: the caller), eight bytes each.
pub fn capget(pid: i32) -> Call<[[u8; 8]; 3]> {
    let header = [VERSION_3.to_ne_bytes(), pid.to_ne_bytes()].concat();
    Call::new("capget", libc::SYS_capget).input(&header).output(24).value(|answer| {
        // Two structs of effective, permitted, inheritable: the low halves, then the high ones.
        [0, 4, 8].map(|at| {
            let whole = answer.u32(at) as u64 | (answer.u32(at + 12) as u64) << 32;
            whole.to_ne_bytes()
        })
    })
}

/// `capset(&header, &data)` of the calling thread.
pub fn capset(effective: u64, permitted: u64, inheritable: u64) -> Call<()> {
    let header = [VERSION_3.to_ne_bytes(), [0; 4]].concat();
    let half = |shift| [effective, permitted, inheritable].map(|set| ((set >> shift) as u32).to_ne_bytes());
    let data = [half(0), half(32)].concat().concat();
    Call::new("capset", libc::SYS_capset).input(&header).input(&data).one_thread()
}
