//! File system contexts: fsopen(2), fspick(2), fsconfig(2), fsmount(2), and the log of a context.

use crate::call::Call;

/// The most bytes of one message in the log of a context: a path and some words. Eight of them fit into a message to a task that
/// needs no memfd.
pub(crate) const LONGEST_MESSAGE: usize = 4352;

/// The value that fsconfig(2) sets a parameter to.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// `NULL`.
    Nothing,
    /// A NUL-terminated string.
    Text(&'a [u8]),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// `fsopen(fstype, flags)`. Linux 5.2.
pub fn fsopen(fstype: &[u8], flags: u32) -> Call<i32> {
    Call::new("fsopen", libc::SYS_fsopen).string(fstype).number(flags).of_file_system(fstype).descriptor()
}

/// `fspick(dirfd, path, flags)`. Linux 5.2.
pub fn fspick(at: i32, path: &[u8], flags: u32) -> Call<i32> {
    Call::new("fspick", libc::SYS_fspick).fd(at).path(path).number(flags).descriptor()
}

/// `fsconfig(fd, command, key, value, aux)`; `aux` may be a descriptor. `fstype` is the file system of the context, if the caller
/// knows it. Linux 5.2.
pub fn fsconfig(fd: i32, command: u32, key: Option<&[u8]>, value: Value, aux: i32, fstype: Option<&[u8]>) -> Call<()> {
    let call = Call::new("fsconfig", libc::SYS_fsconfig).fd(fd).number(command).string_or_null(key);
    let call = match value {
        Value::Nothing => call.number(0),
        Value::Text(text) => call.string(text),
        Value::Bytes(bytes) => call.input(bytes),
    };
    call.fd(aux).of_file_system(fstype.unwrap_or_default()).on_context()
}

/// `fsmount(fd, flags, attributes)`. `fstype` is the file system of the context, if the caller knows it. Linux 5.2.
pub fn fsmount(fd: i32, flags: u32, attributes: u32, fstype: Option<&[u8]>) -> Call<i32> {
    let call = Call::new("fsmount", libc::SYS_fsmount).fd(fd).number(flags).number(attributes);
    call.of_file_system(fstype.unwrap_or_default()).on_context().descriptor()
}

/// `fsconfig(fd, FSCONFIG_SET_FLAG, key)` with an address that cannot be read. A context answers EFAULT and stays as it is, even a
/// spent one. Another file answers EINVAL.
pub(crate) fn touch(fd: i32) -> Call<()> {
    const FSCONFIG_SET_FLAG: u32 = 0;
    Call::new("fsconfig", libc::SYS_fsconfig).fd(fd).number(FSCONFIG_SET_FLAG).number(-1).number(0).number(0)
}

/// `read(fd, buffer, count)` of a context: takes the oldest message from its log. ENODATA: there is none.
pub(crate) fn read_message(fd: i32) -> Call<Vec<u8>> {
    let call = Call::new("read", libc::SYS_read).fd(fd).output(LONGEST_MESSAGE).number(LONGEST_MESSAGE as u64);
    call.at_most(LONGEST_MESSAGE as u32).value(|answer| {
        let length = usize::try_from(answer.result).unwrap_or(0);
        answer.out.get(..length).unwrap_or_default().to_vec()
    })
}
