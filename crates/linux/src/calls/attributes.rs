//! The mode and the owner of a file.

use crate::call::Call;

/// The number of fchmodat2(2), the same on both architectures.
const SYS_FCHMODAT2: i64 = 452;

/// `fchmod(fd, mode)`.
pub fn fchmod(fd: i32, mode: u32) -> Call<()> {
    Call::new("fchmod", libc::SYS_fchmod).fd(fd).number(mode)
}

/// `fchmodat(dirfd, path, mode)`: the system call has no flags.
pub fn fchmodat(at: i32, path: &[u8], mode: u32) -> Call<()> {
    Call::new("fchmodat", libc::SYS_fchmodat).fd(at).path(path).number(mode)
}

/// `fchmodat2(dirfd, path, mode, flags)`. Linux 6.6.
pub fn fchmodat2(at: i32, path: &[u8], mode: u32, flags: u32) -> Call<()> {
    Call::new("fchmodat2", SYS_FCHMODAT2).fd(at).path(path).number(mode).number(flags)
}

/// `fchownat(dirfd, path, owner, group, flags)`. The id `u32::MAX` leaves the owner or the group as it is.
pub fn fchownat(at: i32, path: &[u8], owner: u32, group: u32, flags: u32) -> Call<()> {
    Call::new("fchownat", libc::SYS_fchownat).fd(at).path(path).number(owner).number(group).number(flags)
}
