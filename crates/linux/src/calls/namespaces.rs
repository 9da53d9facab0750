//! unshare(2), setns(2), and the names of a UTS namespace.

use crate::call::Call;

/// `unshare(flags)`.
pub fn unshare(flags: u64) -> Call<()> {
    Call::new("unshare", libc::SYS_unshare).number(flags).one_thread()
}

/// `setns(fd, nstype)`.
pub fn setns(fd: i32, kinds: u64) -> Call<()> {
    Call::new("setns", libc::SYS_setns).fd(fd).number(kinds).one_thread().clears_death_signal()
}

/// `sethostname(name, length)`: of the UTS namespace, for everybody in it.
pub fn sethostname(name: &[u8]) -> Call<()> {
    Call::new("sethostname", libc::SYS_sethostname).input(name).number(name.len() as u64)
}
