//! Looking at mounts: statmount(2) and listmount(2).

use crate::call::{words, Call};

// The number of each call is the same on both architectures.
const SYS_STATMOUNT: i64 = 457;
const SYS_LISTMOUNT: i64 = 458;

/// What statmount(2) is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mount {
    /// The mount with this unique id.
    Id(u64),
    /// The mount that this descriptor is open on, with STATMOUNT_BY_FD. Linux 7.0.
    Fd(i32),
}

/// `statmount(&request, buffer, length, flags)`: the bytes of a `struct statmount` and of the strings behind the struct, as far
/// as the kernel has filled a buffer of `length` bytes. `namespace` is the id of a mount namespace. Linux 6.8; `namespace` 6.11.
pub fn statmount(mount: Mount, mask: u64, namespace: Option<u64>, length: u32, flags: u32) -> Call<Vec<u8>> {
    let id = if let Mount::Id(id) = mount { id } else { 0 };
    let (request, size) = request(id, mask, namespace);
    let call = Call::new("statmount", SYS_STATMOUNT).input(request.get(..size).unwrap_or_default());
    match mount {
        Mount::Id(_) => call,
        Mount::Fd(fd) => call.holding_fd(4, 4, fd),
    }
    .output(length as usize)
    .number(length)
    .number(flags)
    .value(|answer| answer.out.get(..answer.u32(0) as usize).unwrap_or(answer.out).to_vec())
}

/// `listmount(&request, ids, count, flags)`: up to `count` unique ids of 8 bytes of the mounts below `mount`, after the mount
/// `after`. Linux 6.8; `namespace` 6.11.
pub fn listmount(mount: u64, after: u64, namespace: Option<u64>, count: u32, flags: u32) -> Call<u32> {
    let (request, size) = request(mount, after, namespace);
    Call::new("listmount", SYS_LISTMOUNT)
        .input(request.get(..size).unwrap_or_default())
        .output(count as usize * 8)
        .number(count)
        .number(flags)
        .at_most(count)
        .value(|answer| answer.result as u32)
}

/// Returns a `struct mnt_id_req`, and its length: that of the first version if this has all fields that are needed.
fn request(mount: u64, param: u64, namespace: Option<u64>) -> ([u8; 32], usize) {
    let length = if namespace.is_some() { 32 } else { 24 };
    (words(&[(0, length as u64), (8, mount), (16, param), (24, namespace.unwrap_or(0))]), length)
}
