//! Resource limits: `struct rlimit64` is a soft and a hard one, `RLIM_INFINITY` for none.

use crate::call::Call;

/// `setrlimit(resource, &limits)` of the calling process.
pub fn setrlimit(resource: u32, limits: &[u8]) -> Call<()> {
    Call::new("setrlimit", libc::SYS_setrlimit).named_number(resource).input(limits)
}

/// `prlimit(pid, resource, &new or NULL, &old)`: returns the former limits; 0: the calling process.
pub fn prlimit(pid: i32, resource: u32, new: &[u8]) -> Call<Vec<u8>> {
    let call = Call::new("prlimit", libc::SYS_prlimit64).number(pid).named_number(resource);
    let call = if new.is_empty() { call.number(0) } else { call.input(new) };
    call.output(16).value(|answer| answer.out.to_vec())
}
