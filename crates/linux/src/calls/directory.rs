//! Reading directories.

use crate::call::Call;

/// `getdents64(fd, buffer, length)`: the bytes of the next entries, none at the end of the directory.
pub fn getdents64(fd: i32, length: u32) -> Call<Vec<u8>> {
    let call = Call::new("getdents64", libc::SYS_getdents64).fd(fd).output_up_to(length as usize).number(length);
    call.at_most(length).value(|answer| answer.written())
}
