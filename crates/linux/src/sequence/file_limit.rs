//! The limit of file sizes, which the kernel applies to a memfd too.

/// True when this process may write a file of so many bytes. If it tried all the same, it would get SIGXFSZ, which ends a
/// process that does not ignore the signal.
pub(crate) fn allows(length: usize) -> bool {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes the struct, which lives in this frame, during the call.
    let known = unsafe { libc::getrlimit64(libc::RLIMIT_FSIZE, &raw mut limit) } == 0;
    !known || limit.rlim_cur >= length as u64
}
