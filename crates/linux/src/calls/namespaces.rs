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

/// `ioctl(fd, NS_GET_NSTYPE)`: the CLONE_NEW… flag of the kind of a namespace. Linux 4.11.
pub fn namespace_kind(fd: i32) -> Call<u32> {
    const NS_GET_NSTYPE: u32 = 0xb703;
    Call::new("ioctl", libc::SYS_ioctl).fd(fd).number(NS_GET_NSTYPE).value(|answer| answer.result as u32)
}

/// `ioctl(fd, NS_GET_MNTNS_ID, &id)`: the id of a mount namespace, which is never used again. Linux 6.11.
pub fn mount_namespace_id(fd: i32) -> Call<u64> {
    const NS_GET_MNTNS_ID: u32 = 2 << 30 | 8 << 16 | 0xb7 << 8 | 5;
    Call::new("ioctl", libc::SYS_ioctl).fd(fd).number(NS_GET_MNTNS_ID).output(8).value(|answer| answer.u64(0))
}
