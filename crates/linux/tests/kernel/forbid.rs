//! What a container's seccomp filter does.

use nix::errno::Errno;

/// The system call `nr` is refused with `errno`, from now on and for ever: where, if at all, is up to `condition`, the
/// instructions that are run before the refusal and may jump over it.
pub fn forbid(nr: i64, errno: i32, condition: &[libc::sock_filter]) {
    filter(nr, libc::SECCOMP_RET_ERRNO | errno as u32, condition);
}

/// The stub that makes the system call `nr` is killed. This process may make the call: the libc of the machine needs clone3(2)
/// for each thread.
pub fn kill_stubs(nr: i64) {
    // The upper half of the address of the instruction is 0 in the stub, and in no shared library. Little-endian machines
    // have it at offset 12.
    let address = libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: 12 };
    let is_low = libc::sock_filter { code: 0x15, jt: 0, jf: 1, k: 0 };
    filter(nr, libc::SECCOMP_RET_KILL_PROCESS, &[address, is_low]);
}

fn filter(nr: i64, refusal: u32, condition: &[libc::sock_filter]) {
    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    let load = |offset| libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: offset };
    let answer = |k| libc::sock_filter { code: 0x06, jt: 0, jf: 0, k };
    let other = condition.len() as u8 + 1;
    let is = libc::sock_filter { code: 0x15, jt: 0, jf: other, k: nr as u32 };
    let mut filter = [&[load(0), is], condition, &[answer(refusal), answer(ALLOW)]].concat();
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: takes numbers.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the kernel copies the filter, which lives until then.
    let set = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    assert_eq!(Errno::result(set), Ok(0));
}
