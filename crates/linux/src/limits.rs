//! Resource limits: a soft and a hard one, `RLIM_INFINITY` for none.

use crate::call::Call;

/// `setrlimit(resource, &limits)` of the calling process.
pub fn setrlimit(resource: u32, limits: [u64; 2]) -> Call<()> {
    let limits = limits.map(u64::to_ne_bytes).concat();
    Call::new("setrlimit", libc::SYS_setrlimit).number(resource).input(&limits)
}

/// `prlimit(pid, resource, &new or NULL, &old)`: what they were; 0: the calling process.
pub fn prlimit(pid: i32, resource: u32, new: Option<[u64; 2]>) -> Call<[u64; 2]> {
    let call = Call::new("prlimit", libc::SYS_prlimit64).number(pid).number(resource);
    let call = match new {
        Some(limits) => call.input(&limits.map(u64::to_ne_bytes).concat()),
        None => call.number(0),
    };
    call.output(16).value(|answer| [answer.u64(0), answer.u64(8)])
}
